import { Secret } from '@bulkhead/base';
import { signWebhook, standardWebhookSecret, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP } from '@bulkhead/protocol';
import { Agent } from 'undici';
import { givenOptions, serving } from './serving.ts';

export interface PostLoopOptions {
  readonly url: string;
  readonly body: string;
  readonly posts: number;
  readonly callers: number;
}

/** The answer to `go`. */
export interface PostLoopResult {
  readonly perSecond: number;
  readonly failures: number;
}

// The yardstick of deliveries: signed calls one after the other, nothing remembered of them.
const { url, body, posts, callers } = givenOptions<PostLoopOptions>();
const { origin, pathname } = new URL(url);
const agent = new Agent({ connections: callers });
const secrets = [standardWebhookSecret(new Secret('a secret of the benchmark'))];

async function post(id: string): Promise<boolean> {
  const timestamp = Math.floor(Date.now() / 1_000);
  const signature = signWebhook(secrets, { id, timestamp, body });
  const answer = await agent.request({
    origin,
    path: pathname,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      [WEBHOOK_ID]: id,
      [WEBHOOK_TIMESTAMP]: String(timestamp),
      [WEBHOOK_SIGNATURE]: signature,
    },
    body,
  });
  await answer.body.dump();
  return answer.statusCode === 204;
}

async function measure(): Promise<PostLoopResult> {
  let made = 0;
  let failures = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (made < posts) if (!(await post(`message-${(made += 1)}`))) failures += 1;
    }),
  );
  return { perSecond: posts / ((performance.now() - startedAt) / 1_000), failures };
}

serving({}, () => agent.close());
process.stdin.on('data', () => {
  void measure().then((result) => process.stdout.write(`result ${JSON.stringify(result)}\n`));
});
