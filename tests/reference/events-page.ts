import { eventTypes } from '@bulkhead/platform';

const INTRODUCTION = `# Events

Made from the catalogue in the code by \`npm run docs\`; a test fails where the two differ.

An Application that has \`events_enabled\` keeps what happens in it, for \`event_settings.retention_hours\` (1 to 720, default 24), all types or those of \`event_settings.types\`. Nothing is added later for the time before. Read with \`GET /v1/events\` (API key) or, of one account, \`GET /v1/accounts/{id}/events\` (API key or the account's token):

\`\`\`json
{ "count": 1, "cursor": "…", "remaining": 0, "objects": [ { "id": "evt…", "type": "account.connected", "account": 1234, "created": "2026-01-31T12:00:00.000Z", "modified": "2026-01-31T12:00:00.000Z", "data": { "service": "gdrive", "end_user": "user-17" }, "api": "events" } ], "type": "object_list", "api": "events" }
\`\`\`

Ask again with the \`cursor\` of the last answer; an empty \`objects\` says that you have everything for now. Whoever goes on from the last cursor misses nothing and sees nothing twice. \`…/latest\` gives the cursor after the newest event. \`from\` and \`until\` narrow by time, \`page_size\` goes up to 1000.

Types are added in later versions: leave one that you do not know alone.
`;

const OF = {
  account: '`account` is its number.',
  application: '`account` is null.',
  either: '`account` is its number, null where none is known.',
} as const;

/** `docs/reference/events.md`. Pure. */
export function eventsPage(): string {
  const sections = Object.entries(eventTypes).map(([type, { summary, of, schema, example }]) =>
    [`## ${type}`, '', `${summary} ${OF[of]}`, '', ...fields(schema), '```json', JSON.stringify({ type, data: example }), '```', ''].join(
      '\n',
    ),
  );
  return [INTRODUCTION, ...sections].join('\n');
}

function fields(schema: (typeof eventTypes)[keyof typeof eventTypes]['schema']): string[] {
  const { properties = {} } = schema.toJSONSchema() as { properties?: Record<string, { type?: string; anyOf?: { type: string }[] }> };
  const rows = Object.entries(properties).map(
    ([name, { type, anyOf }]) => `| \`${name}\` | ${type ?? anyOf?.map((one) => one.type).join(' or ') ?? ''} |`,
  );
  return rows.length === 0 ? ['No data.', ''] : ['| data | |', '|---|---|', ...rows, ''];
}
