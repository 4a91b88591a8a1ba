import { describe, expect, test } from 'vitest';
import { functionManifest } from './manifest.ts';
import { requestedPermission, requestedPermissions } from './requested-permissions.ts';

const functions = [{ key: 'run', handler: 'src/index.run' }];
const requested = (more: Record<string, unknown>) => requestedPermissions(functionManifest.parse({ app: 'an-app', functions, ...more }));
const fetches = (...backend: string[]) => ({ permissions: { external: { fetch: { backend } } } });

describe('what a manifest requests', () => {
  test('is the same whatever its order, each once', () => {
    expect(requested(fetches('b.example', 'a.example', 'b.example'))).toEqual(['fetch:a.example', 'fetch:b.example']);
    expect(requested(fetches('a.example', 'b.example'))).toEqual(['fetch:a.example', 'fetch:b.example']);
  });

  test('is hosts, scopes, and web triggers that anybody may call, not those whose callers prove who they are', () => {
    const authentications = [{ type: 'none' }, { type: 'bearer' }, { type: 'hmac', scheme: 'github' }];
    const webtriggers = authentications.map((authentication) => ({ key: authentication.type, function: 'run', authentication }));
    const permissions = { scopes: ['accounts:use'], ...fetches('http://a.example:81').permissions };
    const all = requested({ webtriggers, permissions });
    expect(all).toEqual(['fetch:http://a.example:81', 'scope:accounts:use', 'webtrigger:none']);
    expect(all.every((permission) => requestedPermission.safeParse(permission).success)).toBe(true);
  });

  test('is nothing where nothing of that is in it, however much else is', () => {
    expect(requested({ variables: [{ name: 'A', default: 'x' }], permissions: {} })).toEqual([]);
  });
});
