import { SETTINGS } from '@bulkhead/platform';

const INTRODUCTION = `# Settings

Made from the table in \`packages/platform/src/config/settings.ts\` by \`npm run docs\`; a test fails where the two differ.

Settings are environment variables; an empty one counts as unset. Values that cannot be used stop the start with exit code 2 and a sentence for each, which names the variable and what was expected. Secrets may come as files (\`BULKHEAD_ROOT_KEY=file:/path\`).

| variable | default | meaning |
|---|---|---|
`;

/** `docs/reference/config.md`. Pure. */
export function configPage(): string {
  const settings = Object.values(SETTINGS);
  const rows = settings.map(
    ({ variable, default: value, meaning }) => `| \`${variable}\` | ${value === null ? 'unset' : `\`${value}\``} | ${meaning} |\n`,
  );
  const example = settings.map(({ variable, example: value }) => `${variable}=${value}\n`);
  return `${INTRODUCTION}${rows.join('')}\nEach with a value, as an example:\n\n\`\`\`text\n${example.join('')}\`\`\`\n`;
}
