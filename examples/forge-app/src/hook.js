import { kvs } from '@forge/kvs';

/** Called at the address of the web trigger. */
export async function receive({ method, body, queryParameters }, { installContext }) {
  if (method !== 'POST') return { statusCode: 405, headers: { Allow: ['POST'] }, body: '' };
  const [id = 'from-outside'] = queryParameters.id ?? [];
  await kvs.entity('note').set(id, { text: body, priority: 1 });
  return { statusCode: 201, headers: { 'Content-Type': ['application/json'] }, body: JSON.stringify({ id, installContext }) };
}

/** Called when an account is connected in the Application. */
export async function connected({ eventType }) {
  await kvs.set('last-event', eventType);
}
