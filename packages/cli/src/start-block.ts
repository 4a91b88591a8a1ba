import { relative } from 'node:path';

export interface StartFacts {
  readonly version: string;
  /** Null where this process does not serve the API. */
  readonly publicUrl: string | null;
  /** Its page, its two services, its receiver of webhooks and its App, where they are: on other ports than usual where those were taken. */
  readonly demo: {
    readonly url: string;
    readonly harbourUrl: string;
    readonly lanternUrl: string;
    readonly receiverUrl: string;
    readonly appUrl: string;
  } | null;
  /** Null: somebody else's PostgreSQL. */
  readonly dataDir: string | null;
  readonly workingDirectory: string;
  readonly roles: readonly string[];
  readonly metaToken:
    | { readonly kind: 'issued'; readonly text: string }
    | { readonly kind: 'from-environment' }
    | { readonly kind: 'earlier' };
}

/** What an operator reads at start: one block, then the line that says it is ready. Pure. */
export function startBlock(facts: StartFacts): string {
  const rows: [string, string][] = [];
  if (facts.publicUrl !== null) {
    if (facts.demo !== null)
      rows.push(
        ['Demo', `${facts.demo.url}  (two customers side by side; start here)`],
        ['Events', `${facts.demo.receiverUrl}  (webhooks of the demo as they arrive)`],
      );
    rows.push(['API', facts.publicUrl], ['Reference', `${facts.publicUrl}/v1/docs`]);
    if (facts.demo !== null)
      rows.push(
        ['Harbour Files', `${facts.demo.harbourUrl}  (the demo's service with OAuth)`],
        ['Lantern Notes', `${facts.demo.lanternUrl}  (the demo's service with an API key)`],
        ['Issue notes', `${facts.demo.appUrl}  (the demo's App, installed from its page)`],
      );
  }
  rows.push([
    'Database',
    facts.dataDir === null ? 'BULKHEAD_DATABASE_URL' : `embedded PostgreSQL in ${shortened(facts.dataDir, facts.workingDirectory)}`,
  ]);
  rows.push(['Roles', facts.roles.join(', ')]);
  if (facts.publicUrl !== null) rows.push(['Meta token', metaTokenText(facts.metaToken)]);
  const width = Math.max(...rows.map(([label]) => label.length));
  return [
    '',
    `  Bulkhead ${facts.version}`,
    '',
    ...rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`),
    ...(facts.metaToken.kind === 'issued' && facts.publicUrl !== null
      ? [`  ${' '.repeat(width)}  Written this once; only its hash is kept. It configures everything: keep it like a password.`]
      : []),
    '',
    '  Ctrl-C drains and stops everything.',
    '',
    facts.publicUrl === null ? `ready ${facts.roles.join(',')}` : `ready ${facts.publicUrl}`,
    '',
  ].join('\n');
}

function metaTokenText(token: StartFacts['metaToken']): string {
  switch (token.kind) {
    case 'issued':
      return token.text;
    case 'from-environment':
      return 'the one in BULKHEAD_META_TOKEN';
    case 'earlier':
      return 'created at first start; `npx bulkhead meta-tokens create` makes another';
  }
}

function shortened(folder: string, workingDirectory: string): string {
  const path = relative(workingDirectory, folder);
  return path.startsWith('..') || path === '' ? folder : `./${path}`;
}
