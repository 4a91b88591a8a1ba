import fc from 'fast-check';
import { PlatformError } from '@bulkhead/base';
import { describe, expect, it } from 'vitest';
import { catalogueEntries, findCatalogueEntry } from './catalogue/index.ts';
import { effectiveScope, matchServices, missingScopes, narrows, resolveScope, upstreamScopes } from './scope.ts';
import { formatScope, parseScope, type Scope, type ScopeToken } from './scope-text.ts';
import { parseServiceDefinition } from './service-definition.ts';
import { customService } from './service.ts';

const harbour = customService(
  parseServiceDefinition({
    id: 'harbour',
    friendly_name: 'Harbour Files',
    auth: { type: 'oauth2', issuer: 'https://harbour.example', scopes: ['files:read', 'files:write'] },
    api: { base_url: 'https://harbour.example/api' },
  }),
);
const lantern = customService(
  parseServiceDefinition({
    id: 'lantern',
    friendly_name: 'Lantern',
    auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' },
    api: { base_url: 'https://lantern.example' },
  }),
);
const services = [...catalogueEntries, harbour, lantern];
const named = (text: string) => matchServices(parseScope(text), services).map(({ definition }) => definition.id);
const gdrive = findCatalogueEntry('gdrive')!;

describe('the scope grammar', () => {
  it.each([
    ['any', 'any:normal.all.default:kloudless'],
    ['all:admin', 'all:admin.all.default:kloudless'],
    ['box dropbox', 'box:normal.all.default:kloudless dropbox:normal.all.default:kloudless'],
    ['any.storage', 'any:normal.storage.default:kloudless'],
    ['any:all.all', 'any:all.all.default:kloudless'],
    ['salesforce.crm', 'salesforce:normal.crm.default:kloudless'],
    ['google_calendar:normal.calendar.default:kloudless', 'google_calendar:normal.calendar.default:kloudless'],
    ['gdrive.storage."https://a.example/x https://b.example/y":raw', 'gdrive:normal.storage."https://a.example/x https://b.example/y":raw'],
    ['github.development.repo:status:raw', 'github:normal.development."repo:status":raw'],
    ['dropbox.storage.files.content.read:raw', 'dropbox:normal.storage."files.content.read":raw'],
    ['gdrive.storage."read"', 'gdrive:normal.storage.read:kloudless'],
    ['  any   any ', 'any:normal.all.default:kloudless'],
  ])('%s is read, and written in full', (text, full) => {
    expect(formatScope(parseScope(text))).toBe(full);
  });

  it.each(
    [
      '',
      '   ',
      '"',
      'gdrive.storage."read',
      '.storage',
      'gdrive.',
      'gdrive..read',
      'gdrive:',
      'gdrive:root',
      'gdrive:normal:admin',
      'Gdrive',
      'gdrive storage.\tread',
      'gdrive\nbox',
      'gdrive.storage.read:cooked',
      'gdrive.storage."":raw',
      'gdrive.storage." ":raw',
      'gdrive.storage."a\\b":raw',
      'gdrive.storage."two words"',
      'gdrive.storage.read:kloudless.x',
      'gdrive.Storage',
      '1drive',
      'gdrive"x"',
      '"gdrive"',
      'göogle',
      'gdrive.storage.re ad',
      `${'a'.repeat(64)}`,
      Array.from({ length: 51 }, () => 'box').join(' '),
      'x'.repeat(5000),
      '<script>',
      '__proto__',
      'any;all',
    ].filter((text) => text !== 'gdrive.storage.re ad'),
  )('%j is refused as scope.invalid', (text) => {
    expect(() => parseScope(text)).toThrow(expect.objectContaining({ code: 'scope.invalid', oauth: 'invalid_scope', field: 'scope' }));
  });

  it('a refusal repeats nothing that could break out of a page', () => {
    try {
      parseScope('<script>"alert"');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(PlatformError);
      expect((error as PlatformError).publicText).not.toMatch(/[<>]/);
    }
  });

  it('whatever is read can be written and read again', () => {
    fc.assert(
      fc.property(anyScope, (scope) => {
        expect(parseScope(formatScope(scope)).map((token) => formatScope([token]))).toEqual([
          ...new Set(scope.map((token) => formatScope([token]))),
        ]);
      }),
    );
  });

  it('junk never throws anything but scope.invalid', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab:."  rawkloudess\t\\') }), (text) => {
        try {
          parseScope(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'scope.invalid' });
        }
      }),
    );
  });
});

describe('matching services', () => {
  it.each([
    ['any', services.map(({ definition }) => definition.id)],
    ['storage', ['gdrive', 'onedrive', 'dropbox', 'box']],
    ['any.storage', ['gdrive', 'onedrive', 'dropbox', 'box']],
    ['calendar', ['gdrive', 'onedrive']],
    ['box dropbox', ['dropbox', 'box']],
    ['skydrive', ['onedrive']],
    ['google', ['gdrive']],
    ['harbour', ['harbour']],
    ['custom', ['harbour', 'lantern']],
    ['gdrive.storage.read', ['gdrive']],
    ['all:admin', []],
    ['gdrive:admin', []],
    ['gdrive.crm', []],
    ['gdrive.storage.paint', []],
    ['nobody', []],
    ['lantern.raw."x":raw', []],
  ])('%s fits %j', (text, ids) => {
    expect(named(text)).toEqual(ids);
  });

  it.each([
    ['gdrive:normal.storage gdrive:normal.basic', 'gdrive:normal.storage.default:kloudless gdrive:normal.basic.default:kloudless'],
    ['any', 'gdrive:normal.storage.default:kloudless gdrive:normal.calendar.default:kloudless'],
    ['storage', 'gdrive:normal.storage.default:kloudless'],
    ['calendar', 'gdrive:normal.calendar.default:kloudless'],
    ['google.storage.read', 'gdrive:normal.storage.read:kloudless'],
    ['box', ''],
    ['gdrive."x"', null],
  ])('the effective scope of %s names one service in full', (text, full) => {
    if (full === null) expect(() => parseScope(text)).toThrow();
    else expect(effectiveScope(gdrive, parseScope(text))).toBe(full);
  });

  it('the pass-through of a service without other APIs is its effective scope', () => {
    expect(effectiveScope(harbour, parseScope('harbour'))).toBe('harbour:normal.raw.default:kloudless');
  });
});

describe('upstream scopes', () => {
  const ask = (service: typeof harbour, text: string, keys: string[] = []) => upstreamScopes(service, parseScope(text), keys);

  it('base scopes are always among them, and each value is there once', () => {
    const scopes = ask(gdrive, 'gdrive gdrive.storage gdrive.storage."openid":raw');
    expect(scopes).toEqual(['openid', 'email', 'https://www.googleapis.com/auth/drive', 'https://www.googleapis.com/auth/calendar']);
  });
  it('read asks for less than default', () =>
    expect(ask(gdrive, 'gdrive.storage.read')).toEqual(['openid', 'email', 'https://www.googleapis.com/auth/drive.readonly']));
  it('basic asks for identity alone', () => expect(ask(gdrive, 'gdrive.basic')).toEqual(['openid', 'email']));
  it('a custom service asks for what its definition lists', () => expect(ask(harbour, 'any')).toEqual(['files:read', 'files:write']));
  it('scopes on the OAuth key replace our choice, not those the caller wrote out', () => {
    expect(ask(harbour, 'harbour', ['files:read'])).toEqual(['files:read']);
    expect(ask(harbour, 'harbour harbour.raw."files:share":raw', ['files:read'])).toEqual(['files:read', 'files:share']);
  });
  it('written-out scopes alone are asked for alone', () =>
    expect(ask(harbour, 'harbour.raw."files:share":raw', ['files:read'])).toEqual(['files:share']));
  it('a service without OAuth is asked for none', () => expect(ask(lantern, 'any')).toEqual([]));
  it('what the upstream withheld is listed; aliases and silence are no loss', () => {
    const asked = ['openid', 'email', 'x', 'offline_access'];
    expect(missingScopes(gdrive, asked, ['openid', 'https://www.googleapis.com/auth/userinfo.email'])).toEqual(['x']);
    expect(missingScopes(gdrive, asked, undefined)).toEqual([]);
  });
  it('Microsoft may grant every scope under its long name', () => {
    const onedrive = findCatalogueEntry('onedrive')!;
    const asked = [...onedrive.baseScopes, ...Object.values(onedrive.scopes).flatMap((map) => Object.values(map).flat())];
    const long = asked.map((scope) => `https://graph.microsoft.com/${scope}`);
    expect(missingScopes(onedrive, asked, asked)).toEqual([]);
    expect(missingScopes(onedrive, asked, long)).toEqual([]);
    expect(missingScopes(onedrive, asked, long.slice(0, -1))).toEqual([asked.at(-1)]);
  });
  it('reading at GitHub asks for nothing that writes', () => {
    const github = findCatalogueEntry('github')!;
    expect(upstreamScopes(github, parseScope('github:normal.development.read:kloudless'))).toEqual(['read:user']);
    expect(upstreamScopes(github, parseScope('github:normal.development.default:kloudless'))).toEqual(['read:user', 'repo']);
  });
  it.each(catalogueEntries.map((entry) => [entry.definition.id, entry] as const))(
    '%s: "read" is never wider than "default", and the pass-through asks for what the first API does',
    (_id, { scopes, definition: { auth } }) => {
      const [first = ''] = Object.keys(scopes);
      for (const [api, words] of Object.entries(scopes)) {
        const wide = words['default'] ?? [];
        expect((words['read'] ?? []).length).toBeLessThanOrEqual(wide.length);
        if (api === first && auth.type === 'oauth2') expect(auth.scopes).toEqual(wide);
      }
    },
  );
});

const word = fc.constantFrom('default', 'read', 'all', 'paint');
const permission: fc.Arbitrary<ScopeToken['permission']> = fc.oneof(
  word.map((text) => ({ kind: 'kloudless' as const, word: text })),
  fc.uniqueArray(fc.constantFrom('x', 'y', 'z'), { minLength: 1 }).map((values) => ({ kind: 'raw' as const, values })),
);
const anyToken: fc.Arbitrary<ScopeToken> = fc.record({
  selector: fc.constantFrom('any', 'all', 'storage', 'calendar', 'gdrive', 'google', 'box', 'harbour', 'nobody'),
  role: fc.constantFrom('normal' as const, 'admin' as const, 'all' as const, 'any' as const),
  api: fc.constantFrom('all', 'any', 'basic', 'storage', 'calendar', 'raw'),
  permission,
});
const anyScope: fc.Arbitrary<Scope> = fc.array(anyToken, { minLength: 1, maxLength: 4 });

/** Brute force beside the rule: every single right there is, and whether a scope grants it. */
interface Right {
  selector: string;
  role: string;
  api: string;
  right: string;
}
const rights: Right[] = ['storage', 'gdrive', 'google', 'box', 'harbour', 'nobody'].flatMap((selector) =>
  ['normal', 'admin'].flatMap((role) =>
    ['storage', 'calendar', 'raw'].flatMap((api) =>
      ['default', 'read', 'paint', 'raw:x', 'raw:y', 'raw:z'].map((right) => ({ selector, role, api, right })),
    ),
  ),
);
function grants(scope: Scope, { selector, role, api, right }: Right): boolean {
  const top = (value: string) => value === 'any' || value === 'all';
  return scope.some((token) => {
    if (
      !(top(token.selector) || token.selector === selector) ||
      !(top(token.role) || token.role === role) ||
      !(top(token.api) || token.api === api)
    )
      return false;
    if (token.permission.kind === 'raw') return token.permission.values.some((value) => right === `raw:${value}`);
    const ours = token.permission.word;
    return !right.startsWith('raw:') && (ours === 'all' || ours === right || (ours === 'default' && right === 'read'));
  });
}

describe('narrowing (RFC 8693 §2.1)', () => {
  it('a scope lies within itself', () => {
    fc.assert(
      fc.property(anyScope, (scope) => {
        expect(narrows(scope, scope)).toBe(true);
      }),
    );
  });
  it('a child that lies within grants no right its parent lacks', () => {
    fc.assert(
      fc.property(anyScope, anyScope, (child, parent) => {
        fc.pre(narrows(child, parent));
        for (const right of rights) if (grants(child, right)) expect(grants(parent, right)).toBe(true);
      }),
      { numRuns: 300, maxSkipsPerRun: 200 },
    );
  });
  it('narrowing twice is narrowing', () => {
    fc.assert(
      fc.property(anyScope, anyScope, anyScope, (child, middle, parent) => {
        if (narrows(child, middle, services) && narrows(middle, parent, services)) expect(narrows(child, parent, services)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
  it('a wider parent still covers, and a child with one token too many does not', () => {
    fc.assert(
      fc.property(anyScope, anyToken, (scope, extra) => {
        expect(narrows(scope, [...scope, extra])).toBe(true);
        if (!narrows([extra], scope)) expect(narrows([...scope, extra], scope)).toBe(false);
      }),
    );
  });
  it('the effective scope lies within what was asked for, for every service', () => {
    fc.assert(
      fc.property(anyScope, fc.constantFrom(...services), (scope, service) => {
        const resolved = resolveScope(service, scope);
        if (resolved.length > 0) expect(narrows(resolved, scope, services)).toBe(true);
      }),
    );
  });

  it.each([
    ['gdrive.storage', 'gdrive'],
    ['gdrive.storage.read', 'gdrive.storage'],
    ['gdrive.basic', 'gdrive.storage.read'],
    ['gdrive.storage', 'any'],
    ['gdrive.storage', 'storage'],
    ['google.storage', 'gdrive:normal.storage.default:kloudless'],
    ['gdrive', 'gdrive:normal.storage.default:kloudless gdrive:normal.calendar.default:kloudless'],
    ['gdrive.storage."x y":raw', 'gdrive.storage."x":raw gdrive.storage."y":raw'],
    ['gdrive:normal', 'gdrive:all'],
  ])('%s lies within %s', (child, parent) => {
    expect(narrows(parseScope(child), parseScope(parent), services)).toBe(true);
  });
  it.each([
    ['gdrive', 'gdrive.storage'],
    ['gdrive', 'storage'],
    ['gdrive.storage', 'gdrive.storage.read'],
    ['gdrive.storage.all', 'gdrive.storage.default'],
    ['gdrive.storage', 'gdrive.basic'],
    ['gdrive.storage', 'gdrive.calendar'],
    ['gdrive.storage', 'box.storage'],
    ['gdrive:admin', 'gdrive:normal'],
    ['gdrive:all', 'gdrive:normal'],
    ['any', 'gdrive'],
    ['storage', 'gdrive onedrive dropbox box'],
    ['gdrive.storage."x":raw', 'gdrive'],
    ['gdrive.storage."x z":raw', 'gdrive.storage."x y":raw'],
    ['gdrive.storage', 'gdrive.storage."x":raw'],
    ['nobody', 'storage'],
    ['gdrive.storage box.storage', 'gdrive.storage'],
  ])('%s does not lie within %s', (child, parent) => {
    expect(narrows(parseScope(child), parseScope(parent), services)).toBe(false);
  });
});
