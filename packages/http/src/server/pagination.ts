import { z } from 'zod';

/** `page` from 1, `page_size` 1–1000 (default 10), as Kloudless has them. */
export const pageQuery = {
  page: z.coerce.number().int().min(1).max(1_000_000).default(1).meta({ description: 'Page number, from 1.' }),
  page_size: z.coerce.number().int().min(1).max(1000).default(10).meta({ description: 'Objects per page, 1 to 1000.' }),
};

/** `true`, `True`, `1` and their opposites: Python and JavaScript clients write booleans differently. */
export const queryBoolean = z
  .enum(['true', 'True', 'TRUE', '1', 'false', 'False', 'FALSE', '0'])
  .transform((text) => text.toLowerCase() === 'true' || text === '1');

export interface Page<Row> {
  readonly rows: Row[];
  readonly total: number;
}

/** Kloudless's list envelope for lists that count: `total`, `count`, `page`, `next_page`, `objects`. */
export function objectList<Schema extends z.ZodType>(object: Schema) {
  return z.object({
    total: z.int(),
    count: z.int(),
    page: z.int(),
    next_page: z.int().nullable(),
    objects: z.array(object),
    type: z.literal('object_list'),
    api: z.string(),
  });
}

export function listAnswer<Row, Shape>(
  page: Page<Row>,
  query: { page: number; page_size: number },
  api: string,
  shape: (row: Row) => Shape,
) {
  const more = query.page * query.page_size < page.total;
  return {
    total: page.total,
    count: page.rows.length,
    page: query.page,
    next_page: more ? query.page + 1 : null,
    objects: page.rows.map(shape),
    type: 'object_list' as const,
    api,
  };
}
