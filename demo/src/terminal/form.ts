/** A form of a page: where it goes and what it would send as it stands. */
export interface PageForm {
  readonly method: 'get' | 'post';
  readonly action: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly buttons: readonly { readonly name: string; readonly value: string }[];
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi,
    (entity, hex: string | undefined, decimal: string | undefined, name: string | undefined) => {
      if (name !== undefined) return ENTITIES[name] ?? entity;
      return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
    },
  );
}

function attributes(tag: string): ReadonlyMap<string, string> {
  return new Map([...tag.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name.toLowerCase(), unescape(value)]));
}

/**
 * The forms of a page. Reads what our pages and the demo's provider write (quoted attributes, no nesting), not HTML at large.
 */
export function readForms(page: string): PageForm[] {
  return [...page.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)].map(([, tag = '', inside = '']) => {
    const own = attributes(tag);
    const tags = (name: string) =>
      [...inside.matchAll(new RegExp(String.raw`<${name}\b([^>]*)>`, 'g'))].map(([, text = '']) => attributes(text));
    const named = (list: readonly ReadonlyMap<string, string>[]) =>
      list.filter((each) => each.has('name')).map((each) => ({ name: each.get('name') ?? '', value: each.get('value') ?? '' }));
    return {
      method: own.get('method')?.toLowerCase() === 'post' ? 'post' : 'get',
      action: own.get('action') ?? '',
      fields: new Map(named(tags('input')).map(({ name, value }) => [name, value])),
      buttons: named(tags('button')),
    };
  });
}
