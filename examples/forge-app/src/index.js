import Resolver from '@forge/resolver';
import { kvs, WhereConditions } from '@forge/kvs';

const resolver = new Resolver();

resolver.define('addNote', async ({ payload, context }) => {
  const key = `note-${payload.id}`;
  await kvs.set(key, { text: payload.text, site: context.cloudId });
  return kvs.get(key);
});

resolver.define('listNotes', async () => {
  const { results } = await kvs.query().where('key', WhereConditions.beginsWith('note-')).limit(100).getMany();
  return results.map(({ key, value }) => ({ key, text: value.text }));
});

// A cache of the module: safe where nobody else's calls come by, and a leak where they do.
let lastVisitor = null;

resolver.define('visit', async ({ payload }) => {
  const before = lastVisitor;
  lastVisitor = payload.who;
  await kvs.set('visitor', payload.who);
  const kept = await kvs.get('visitor');
  return { turn: payload.turn, crossed: (before !== null && before !== payload.who) || kept !== payload.who };
});

export const handler = resolver.getDefinitions();
