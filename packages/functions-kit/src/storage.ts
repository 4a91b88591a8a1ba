import { callHost } from './host-service.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [field: string]: Json };

interface Answer {
  readonly found?: boolean;
  readonly value?: unknown;
  readonly keys?: string[];
}

const call = (body: Readonly<Record<string, unknown>>): Promise<Answer> => callHost('storage', body);

/**
 * What the functions of one installation keep, in one environment: texts of at most 500 characters to JSON of at most 240,000 bytes, 10,000 of
 * them. Nobody else sees it: not another installation, not another App. Each throws `HostError`.
 */
export const storage = {
  /** Undefined where there is nothing under the key. */
  async get<Value extends Json = Json>(key: string): Promise<Value | undefined> {
    const { found, value } = await call({ op: 'get', key });
    return found === true ? (value as Value) : undefined;
  },
  async set(key: string, value: Json): Promise<void> {
    await call({ op: 'set', key, value });
  },
  /** Whether there was something. */
  async delete(key: string): Promise<boolean> {
    return (await call({ op: 'delete', key })).found === true;
  },
  /** Keys in the order of their bytes, 100 at most; the next ones with the last as `after`. */
  async keys({ prefix = '', after = '', limit = 100 }: { prefix?: string; after?: string; limit?: number } = {}): Promise<string[]> {
    return (await call({ op: 'list', prefix, after, limit })).keys ?? [];
  },
};
