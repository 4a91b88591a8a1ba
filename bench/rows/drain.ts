import { alternate, figure, medians } from '../alternate.ts';
import { Asked } from '../machine/asked.ts';
import { Child } from '../machine/child.ts';
import type { Row } from '../row.ts';
import type { PostLoopOptions, PostLoopResult } from '../servers/post-loop.ts';
import type { Received, WebhookReceiverFacts } from '../servers/webhook-receiver.ts';
import { startBulkhead } from '../stack/bulkhead.ts';
import { createWebhooks, EventWriter } from '../stack/webhooks.ts';

const APPLICATIONS = 10;
const ENDPOINTS = 5;
/** Of each Application's endpoints: one in five. */
const DEAD = 1;
const EVENTS = 200;
const CALLERS = 128;

export const drain: Row = {
  id: 'drain',
  what: 'webhooks drained from a backlog, 20 % of the endpoints dead (they take the call and never answer): deliveries per second to those that live',
  yardstick: `a bare loop of signed POSTs by undici, ${CALLERS} callers, to the same receiver`,
  unit: 'ratio',
  reach: { atLeast: 0.4 },
  needs: ['taskset'],
  async measure(lab) {
    const events = Math.max(1, Math.round(EVENTS * lab.scale));
    const living = APPLICATIONS * (ENDPOINTS - DEAD) * events;
    await using receiver = new Asked<Received>(await Child.program('rest', 'webhook-receiver'));
    const { url, deadUrl } = receiver.child.ready as WebhookReceiverFacts;
    await using urls = await (await lab.cluster()).database('drain');
    await using server = await startBulkhead(urls, { egressAllow: ['127.0.0.0/8'] });
    const endpoints = Array.from({ length: ENDPOINTS }, (_, at) => `${at < DEAD ? deadUrl : url}/${at}`);
    const applications = await createWebhooks(server, APPLICATIONS, endpoints);
    await using writer = await EventWriter.open(urls);
    const given: PostLoopOptions = { url: `${url}/loop`, body: BODY, posts: living, callers: CALLERS };
    await using loop = new Asked<PostLoopResult>(await Child.program('server', 'post-loop', given));
    let failures = 0;
    const drained = async (): Promise<number> => {
      await writer.forget();
      const received = receiver.go(String(living));
      const began = await writer.write(applications, events);
      return living / (((await received).atMs - began) / 1_000);
    };
    const looped = async (): Promise<number> => {
      const result = await loop.go();
      failures += result.failures;
      return result.perSecond;
    };
    await drained();
    await looped();
    const measured = await alternate({
      rounds: lab.rounds,
      ours: drained,
      yardstick: looped,
      compare: (ours, yardstick) => ours / yardstick,
    });
    const note = `${medians(measured.samples, 'per second')}; ${figure(living)} of ${figure((living * ENDPOINTS) / (ENDPOINTS - DEAD))} deliveries of ${APPLICATIONS} Applications went to living endpoints, one worker.`;
    return { ...measured, note, sound: failures === 0 };
  },
};

const BODY = JSON.stringify({
  type: 'account.token_refreshed',
  timestamp: '2026-01-01T00:00:00.000Z',
  data: { id: 'evt0123456789abcdef0123456789abcdef', application_id: 'app0123456789ABCDEFGHIJKL', account_id: 1, detail: {} },
});
