import { parseScope } from './scope-text.ts';

/** What a scope leaves of an account's calls: one for identity alone (`basic`) none, one that only reads the safe methods. */
export function methodsOfScope(scope: string): 'all' | 'safe' | 'none' {
  const tokens = parseScope(scope).filter(({ api }) => api !== 'basic');
  if (tokens.length === 0) return 'none';
  return tokens.every(({ permission }) => permission.kind === 'kloudless' && permission.word === 'read') ? 'safe' : 'all';
}
