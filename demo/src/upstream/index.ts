export { type DemoUpstream, type DemoUpstreamOptions, harbourService, lanternService, startDemoUpstream } from './demo-upstream.ts';
export { demoNotesAccounts, type NotesAccount } from './notes-api.ts';
export { demoPeople, type Person } from './people.ts';
