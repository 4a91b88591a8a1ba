import { host } from './host.ts';

/** A refusal of the host, by its code (docs/reference/errors.md). */
export class HostError extends Error {
  override readonly name = 'HostError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Asks a service of the host. Throws `HostError`. */
export async function callHost<Answer>(service: string, body: Readonly<Record<string, unknown>>): Promise<Answer> {
  return askHost(service, { method: 'POST', body: JSON.stringify(body) });
}

/** The same by a path with its query. Throws `HostError`. */
export async function askHost<Answer>(place: string, init?: RequestInit): Promise<Answer> {
  const response = await host().fetch(`http://host.bulkhead.internal/${place}`, init);
  const answer = (await response.json()) as Answer & { code?: string; message?: string };
  if (response.ok) return answer;
  throw new HostError(answer.code ?? 'unknown', answer.message ?? `the host answered ${response.status}`);
}
