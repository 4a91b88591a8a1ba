import { createHash, randomBytes } from 'node:crypto';
import { request as send } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | URLSearchParams;
}

/** One plain HTTP request to a server of this test. */
export function ask(url: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
  const text = body?.toString();
  const type = body instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {};
  return new Promise((resolve, reject) => {
    const outgoing = send(
      url,
      { method, headers: { ...type, ...(text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }), ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

/** A browser of the simplest kind: keeps cookies, follows redirects inside one origin, stops where they leave it. */
export class Browser {
  readonly #cookies = new Map<string, string>();

  async #one(url: string, asked: Asked = {}): Promise<Answer> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await ask(url, { ...asked, headers: { ...asked.headers, ...(cookie === '' ? {} : { cookie }) } });
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
      const [pair = ''] = line.split(';');
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return answer;
  }

  /** The last answer, and the address at which it came or to which it leads out. */
  async go(url: string, asked: Asked = {}): Promise<Answer & { readonly url: string }> {
    let here = url;
    let answer = await this.#one(here, asked);
    for (let hops = 0; hops < 10 && answer.status >= 300 && answer.status < 400; hops += 1) {
      const next = new URL(String(answer.headers['location']), here);
      if (next.origin !== new URL(here).origin) return { ...answer, url: next.href };
      here = next.href;
      answer = await this.#one(here);
    }
    return { ...answer, url: here };
  }
}

/** RFC 7636 §4.1–4.2. */
export function pkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}
