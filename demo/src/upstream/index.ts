export { type DemoUpstream, harbourService, lanternService, startDemoUpstream } from './demo-upstream.ts';
export { demoNotesAccounts } from './notes-api.ts';
export { demoPeople, type Person } from './people.ts';
