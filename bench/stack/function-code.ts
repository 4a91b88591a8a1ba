/**
 * Code of about 64 KB whose top level does what libraries do at theirs: classes, tables, regular expressions. It exports `hello`, `kept` (one
 * call of storage), `spin`, and two that fill memory.
 */
export function functionCode(): string {
  const parts: string[] = ['const registry = new Map();'];
  for (let index = 0; parts.join('\n').length < 63_000; index += 10)
    parts.push(...Array.from({ length: 10 }, (_, more) => part(index + more)));
  return `${parts.join('\n')}
export const hello = (payload) => ({ hello: payload, parts: registry.size });
export const kept = async () => {
  const answer = await fetch('http://host.bulkhead.internal/storage', { method: 'POST', body: '{"op":"get","key":"k"}' });
  return (await answer.json()).value;
};
export const spin = () => { for (;;); };
export const heap = () => { const all = []; for (;;) all.push(new Array(1000).fill({})); };
export const buffers = () => { const all = []; for (;;) all.push(new Uint8Array(16 << 20).fill(1)); };
`;
}

function part(index: number): string {
  return `class Part${index} { #kind = 'k${index}'; match(text) { return /^p${index}[a-z]+\\d*$/u.test(text) ? this.#kind : null; } }
registry.set('part-${index}', { part: new Part${index}(), at: ${index}, names: ['a${index}', 'b${index}'] });`;
}
