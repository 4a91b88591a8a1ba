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
  const response = await host().fetch(`http://host.bulkhead.internal/${service}`, { method: 'POST', body: JSON.stringify(body) });
  const answer = (await response.json()) as Answer & { code?: string; message?: string };
  if (response.ok) return answer;
  throw new HostError(answer.code ?? 'unknown', answer.message ?? `the host answered ${response.status}`);
}
