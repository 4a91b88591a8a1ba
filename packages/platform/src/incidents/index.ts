export { type Found, findMatches } from './find-matches.ts';
export { addRevoked, NOTHING_REVOKED, type Revoked, revokeMatches } from './revoke-matches.ts';
export type { Match, Reach, Selection } from './selection.ts';
