import api, { webTrigger } from '@forge/api';
import Resolver from '@forge/resolver';
import { kvs, WhereConditions } from '@forge/kvs';
import { Queue } from '@forge/events';

const resolver = new Resolver();
const digest = new Queue({ key: 'digest' });

resolver.define('addNote', async ({ payload, context }) => {
  await kvs.entity('note').set(payload.id, { text: payload.text, priority: payload.priority ?? 0 });
  const { jobId } = await digest.push({ body: { note: payload.id } });
  return { id: payload.id, site: context.cloudId, jobId };
});

resolver.define('listNotes', async ({ payload }) => {
  const query = kvs.entity('note').query().index('by-priority');
  const asked = payload.from === undefined ? query : query.where(WhereConditions.greaterThanEqualTo(payload.from));
  const { results } = await asked.limit(100).getMany();
  return results.map(({ key, value }) => ({ id: key, ...value }));
});

resolver.define('digestOf', async () => (await kvs.get('digest')) ?? []);

resolver.define('about', async () => ({
  accounts: await api.asApp().withProvider('gdrive').listAccounts(),
  lastEvent: (await kvs.get('last-event')) ?? null,
  hook: await webTrigger.getUrl('incoming'),
}));

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
