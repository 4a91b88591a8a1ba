interface Kept {
  readonly version: number;
  readonly value: unknown;
}

const PATH = /^(.*)\/rest\/bulkhead\/1\/records\/([^/]+)(?:\/([^/]+))?$/;

/** The records that a Bulkhead host keeps for an App, in memory: each base URL by itself. No limits. */
export class FakeRecords {
  readonly #kept = new Map<string, Map<string, Kept>>();
  #version = 0;

  /** The answer to a call, or null where it is not for records. */
  answer({
    method,
    url,
    headers,
    body,
  }: {
    method: string;
    url: string;
    headers: Readonly<Record<string, string>>;
    body: string;
  }): Response | null {
    const { pathname, searchParams } = new URL(url);
    const [, base, collection, name] = PATH.exec(pathname) ?? [];
    if (collection === undefined) return null;
    const place = `${base} ${collection}`;
    const records = this.#kept.get(place) ?? new Map<string, Kept>();
    this.#kept.set(place, records);
    if (name === undefined) return Response.json(page(records, searchParams));
    const key = decodeURIComponent(name);
    const before = records.get(key);
    if (method === 'GET') return before === undefined ? missing() : Response.json({ key, ...before });
    const match = headers['if-match'];
    const isWanted = match === undefined || (before !== undefined && (match === '*' || match === `"${before.version}"`));
    if (method === 'DELETE' && before === undefined) return missing();
    if (!isWanted || (headers['if-none-match'] === '*' && before !== undefined)) return Response.json({}, { status: 412 });
    if (method === 'DELETE') {
      records.delete(key);
      return new Response(null, { status: 204 });
    }
    const version = (this.#version += 1);
    records.set(key, { version, value: JSON.parse(body) as unknown });
    return Response.json({ key, version }, { status: before === undefined ? 201 : 200 });
  }
}

function missing(): Response {
  return Response.json({ code: 'not_found' }, { status: 404 });
}

function page(records: ReadonlyMap<string, Kept>, query: URLSearchParams): { records: unknown[]; cursor: string | null } {
  const [prefix, cursor, size] = [query.get('prefix') ?? '', query.get('cursor'), Number(query.get('page_size') ?? 100)];
  const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');
  const after = cursor === null ? null : Buffer.from(cursor, 'base64url');
  const all = [...records]
    .filter(([key]) => key.startsWith(prefix) && (after === null || bytes(key).compare(after) > 0))
    .toSorted(([one], [two]) => bytes(one).compare(bytes(two)));
  const shown = all.slice(0, size);
  return {
    records: shown.map(([key, kept]) => ({ key, ...kept })),
    cursor: shown.length < all.length ? bytes(shown.at(-1)![0]).toString('base64url') : null,
  };
}
