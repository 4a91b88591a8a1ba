import { type ErrorEntry, declaredErrors } from '@bulkhead/base';
import '@bulkhead/app-kit';

/** What the kit refuses, by code. Its importing declares them. */
export function kitRefusals(): ReadonlyMap<string, ErrorEntry> {
  return new Map([...declaredErrors()].filter(([code]) => code.startsWith('app_kit.')).sort(([left], [right]) => (left < right ? -1 : 1)));
}

const INTRODUCTION = `# Refusals of app-kit

Made from the catalogue in the code by \`npm run docs\`; a test fails where the two differ. The type of these codes is \`AppRefusal\`.

What the kit refuses is a \`PlatformError\` with \`code\`, \`status\` and \`publicText\`. Its adapters answer a caller with that status and

\`\`\`json
{ "code": "app_kit.unauthorized", "message": "…" }
\`\`\`

and \`kit.refusal(thrown)\` gives the same answer for what your own code catches; null where it is no refusal of the kit. \`detail\` says why, for your log (\`log\` of
\`createAppKit\`) and never for a caller: all reasons of a 401 look the same from outside. No token, secret or body stands in any of the three.

| code | status | text |
|---|---|---|
`;

/** \`docs/reference/app-kit.md\`. Pure. */
export function appKitPage(refusals: ReadonlyMap<string, ErrorEntry>): string {
  return INTRODUCTION + [...refusals].map(([code, { status, text }]) => `| \`${code}\` | ${status} | ${text} |\n`).join('');
}
