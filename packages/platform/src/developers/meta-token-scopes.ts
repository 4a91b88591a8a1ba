/** What a Meta token may do. `:write` includes `:read`. */
export const META_SCOPES = ['applications:read', 'applications:write', 'tokens:read', 'tokens:write'] as const;

/** Whether the scopes of a token cover one that a route asks for. */
export function coversScope(held: readonly string[], needed: string): boolean {
  return held.includes(needed) || (needed.endsWith(':read') && held.includes(needed.replace(/:read$/, ':write')));
}
