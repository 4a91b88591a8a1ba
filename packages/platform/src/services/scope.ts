import type { UpstreamService } from './service.ts';
import { formatScope, type Scope, type ScopeToken } from './scope-text.ts';

const TOP = new Set(['any', 'all']);

/** The APIs of a service that a scope can name. `raw` is the pass-through, which every service has. */
function apisOf(service: UpstreamService): readonly string[] {
  return [...new Set([...service.definition.apis, ...Object.keys(service.scopes)])];
}

function selects(token: ScopeToken, service: UpstreamService): boolean {
  const { selector } = token;
  return (
    TOP.has(selector) ||
    selector === service.definition.id ||
    service.aliases.includes(selector) ||
    selector === service.category ||
    service.definition.apis.includes(selector)
  );
}

/** Whether the service can give what the token asks for. We hold no administrator access, so `:admin` fits nowhere. */
function fits(token: ScopeToken, service: UpstreamService): boolean {
  if (!selects(token, service) || token.role === 'admin') return false;
  const { api, permission } = token;
  if (permission.kind === 'raw')
    return service.definition.auth.type === 'oauth2' && (TOP.has(api) || api === 'basic' || apisOf(service).includes(api));
  if (api === 'basic' || TOP.has(api))
    return (
      permission.word === 'default' ||
      permission.word === 'all' ||
      Object.values(service.scopes).some((words) => Object.hasOwn(words, permission.word))
    );
  if (!apisOf(service).includes(api)) return false;
  return permission.word === 'default' || permission.word === 'all' || Object.hasOwn(service.scopes[api] ?? {}, permission.word);
}

/** The APIs a token means on one service. A category such as `storage` means that API where the service has it. */
function meantApis(token: ScopeToken, service: UpstreamService): readonly string[] {
  const apis = apisOf(service);
  const named = token.selector === service.definition.id || service.aliases.includes(token.selector) || TOP.has(token.selector);
  if (!named && apis.includes(token.selector)) return [token.selector];
  // The pass-through reaches all of them: naming it beside others would say nothing.
  return apis.length > 1 ? apis.filter((api) => api !== 'raw') : apis;
}

/** The services that fit at least one token of the scope, in the order given. One: go straight to it; several: ask. */
export function matchServices(scope: Scope, services: readonly UpstreamService[]): readonly UpstreamService[] {
  return services.filter((service) => scope.some((token) => fits(token, service)));
}

/** The scope as it concerns one service: concrete id, role and APIs; what does not concern it is left out. */
export function resolveScope(service: UpstreamService, scope: Scope): Scope {
  const resolved = scope
    .filter((token) => fits(token, service))
    .flatMap((token): ScopeToken[] => {
      const concrete = { ...token, selector: service.definition.id, role: 'normal' as const };
      const { permission } = token;
      if (!TOP.has(token.api)) return [concrete];
      if (permission.kind === 'raw') return [{ ...concrete, api: 'all' }];
      const general = permission.word === 'default' || permission.word === 'all';
      return meantApis(token, service)
        .filter((api) => general || Object.hasOwn(service.scopes[api] ?? {}, permission.word))
        .map((api) => ({ ...concrete, api }));
    });
  const seen = new Set<string>();
  return resolved.filter((token) => {
    const text = formatScope([token]);
    return seen.has(text) ? false : seen.add(text);
  });
}

/** The text of `resolveScope`: `gdrive:normal.storage.default:kloudless`. Empty where nothing fits. */
export function effectiveScope(service: UpstreamService, scope: Scope): string {
  return formatScope(resolveScope(service, scope));
}

/**
 * What to ask the upstream for, each value once. The scopes an Application set on its OAuth key replace those we would have
 * chosen; values that the caller wrote out (`:raw`) are asked for as they are. The base scopes (identity, refresh token)
 * are always among them.
 */
export function upstreamScopes(service: UpstreamService, scope: Scope, keyScopes: readonly string[] = []): readonly string[] {
  const { auth } = service.definition;
  if (auth.type !== 'oauth2') return [];
  const tokens = resolveScope(service, scope);
  const written = tokens.flatMap(({ permission }) => (permission.kind === 'raw' ? permission.values : []));
  const words = tokens.filter(({ permission }) => permission.kind === 'kloudless');
  const mapped = words.flatMap(({ api, permission }) => {
    if (permission.kind === 'raw' || api === 'basic') return [];
    const map = service.scopes[api] ?? {};
    return permission.word === 'all' ? Object.values(map).flat() : (map[permission.word] ?? []);
  });
  // A custom service and the pass-through have no map of their own: their default is what the definition lists.
  const listed = words.some(({ api }) => api !== 'basic' && service.scopes[api] === undefined) ? auth.scopes : [];
  const chosen = words.length > 0 && keyScopes.length > 0 ? keyScopes : [...mapped, ...listed];
  return [...new Set([...service.baseScopes, ...chosen, ...written])];
}

function apiCovers(parent: string, child: string): boolean {
  return TOP.has(parent) || parent === child || child === 'basic';
}

/** `all` covers every permission of ours, `default` also `read`; an upstream value is covered only by itself. */
function permissionCovers(parent: ScopeToken['permission'], child: ScopeToken['permission']): boolean {
  if (parent.kind === 'raw' || child.kind === 'raw') {
    return parent.kind === 'raw' && child.kind === 'raw' && child.values.every((value) => parent.values.includes(value));
  }
  return parent.word === 'all' || parent.word === child.word || (parent.word === 'default' && child.word === 'read');
}

function covers(parent: ScopeToken, child: ScopeToken): boolean {
  const selectorCovers = TOP.has(parent.selector) || parent.selector === child.selector;
  const roleCovers = TOP.has(parent.role) || parent.role === child.role;
  // Every grant carries identity, so `basic` needs no permission of its own.
  const bothOurs = parent.permission.kind === 'kloudless' && child.permission.kind === 'kloudless';
  const rightCovers = (child.api === 'basic' && bothOurs) || permissionCovers(parent.permission, child.permission);
  return selectorCovers && roleCovers && apiCovers(parent.api, child.api) && rightCovers;
}

function split(token: ScopeToken): ScopeToken[] {
  const { permission } = token;
  return permission.kind === 'raw'
    ? permission.values.map((value) => ({ ...token, permission: { kind: 'raw', values: [value] } }))
    : [token];
}

/**
 * Whether the child scope grants nothing that the parent does not (RFC 8693 §2.1, RFC 6749 §6). Every token of the child must lie
 * within one token of the parent; when in doubt the answer is no. With `services`, a child that names one of them is also
 * compared as it resolves there, so that `gdrive.storage` lies within `storage`; without, both must be written alike.
 */
export function narrows(child: Scope, parent: Scope, services: readonly UpstreamService[] = []): boolean {
  const within = (wanted: Scope, granted: Scope) =>
    wanted.flatMap(split).every((part) => granted.flatMap(split).some((token) => covers(token, part)));
  return child.every((token) => {
    if (within([token], parent)) return true;
    // Only a named service and plain rights: a category or `:all` may come to mean more, and a child must not grow.
    const service = services.find(({ definition, aliases }) => definition.id === token.selector || aliases.includes(token.selector));
    if (service === undefined || token.role !== 'normal') return false;
    const wanted = resolveScope(service, [token]);
    return wanted.length > 0 && within(wanted, resolveScope(service, parent));
  });
}

/** The upstream scopes asked for and not granted, so that shrinkage can be shown. Nothing is missing where the upstream was silent. */
export function missingScopes(
  service: UpstreamService,
  requested: readonly string[],
  granted: readonly string[] | undefined,
): readonly string[] {
  if (granted === undefined) return [];
  // Many servers grant offline_access without ever listing it; whether it was granted shows in the refresh token.
  const has = new Set([...granted, 'offline_access']);
  return requested.filter((scope) => !has.has(scope) && !has.has(service.quirks.scopeAliases?.[scope] ?? scope));
}
