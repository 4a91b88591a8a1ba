import { connect, type ConnectionUrl } from './connection.ts';

/**
 * Statements past the doors, as whoever `url` logs in as: for tests that make databases, look at what the server sees or break
 * it on purpose. Lint keeps it out of what serves. Answers the rows of the last statement; throws what the driver throws.
 */
export async function runPastDoors(url: ConnectionUrl, text: string): Promise<Record<string, unknown>[]> {
  const client = await connect(url, 'past-the-doors');
  try {
    const answer: unknown = await client.query(text);
    return ((Array.isArray(answer) ? answer.at(-1) : answer) as { rows: Record<string, unknown>[] }).rows;
  } finally {
    await client.end();
  }
}
