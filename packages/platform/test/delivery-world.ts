import { type ApplicationId, silentLog } from '@bulkhead/base';
import { createEgress } from '@bulkhead/http';
import { type Database, sql } from '@bulkhead/postgres';
import {
  type Delivery,
  type DeliveryKind,
  type DeliveryWorker,
  deliveryWorker,
  type EndpointHealth,
  endpointHealth,
  listDeliveries,
} from '../src/deliveries/index.ts';
import type { DeliveryWorkerOptions } from '../src/deliveries/delivery-worker.ts';
import { accept, type Receiver, startReceiver } from './receiver.ts';
import { type TenantWorld, tenantWorld } from './tenant-world.ts';

/** Deliveries of a kind that belongs to the test, a receiver, and workers by hand. */
export interface DeliveryWorld extends AsyncDisposable {
  readonly tenants: TenantWorld;
  readonly receiver: Receiver;
  /** Endpoint ids are paths below the receiver or whole URLs; `closed` cannot be opened. */
  readonly kind: DeliveryKind;
  /** `endpoint reason` of each stop. */
  readonly stops: string[];
  /** What every host name resolves to. */
  address: string;
  worker(options?: Partial<DeliveryWorkerOptions>): DeliveryWorker;
  /** Writes deliveries that are due now, as the trigger of a slice would. */
  write(id: ApplicationId, endpoint?: string, count?: number): Promise<void>;
  deliveries(id: ApplicationId, endpoint?: string): Promise<readonly Delivery[]>;
  health(id: ApplicationId, endpoint?: string): Promise<EndpointHealth | undefined>;
  /** Between two tests: no deliveries, nothing received, everything accepted. */
  reset(): Promise<void>;
}

export async function deliveryWorld(): Promise<DeliveryWorld> {
  const tenants = await tenantWorld();
  const receiver = await startReceiver();
  const { clock } = tenants;
  const db = tenants.database.database;
  const egress = createEgress({
    allow: [receiver.address],
    ownListeners: () => [],
    log: silentLog,
    clock,
    resolve: async () => [world.address],
  });
  let written = 0;
  const world: DeliveryWorld = {
    tenants,
    receiver,
    address: '127.0.0.1',
    stops: [],
    kind: {
      kind: 'test',
      policy: 'webhook',
      open: async (_, endpointIds) =>
        new Map(
          endpointIds
            .filter((id) => id !== 'closed')
            .map((id) => [
              id,
              {
                url: id.startsWith('http') ? id : `${receiver.url}/${id}`,
                sign: ({ messageId }) => ({
                  headers: { 'x-id': messageId, 'x-signature': 'signature+of/it==' },
                  confidential: ['signature+of/it=='],
                }),
              },
            ]),
        ),
      stopped: async (_, { endpointId, reason }) => void world.stops.push(`${endpointId} ${reason}`),
    },
    worker: (options = {}) =>
      deliveryWorker({ db, egress, kinds: [world.kind], clock, log: silentLog, random: () => new Uint8Array([0]), ...options }),
    async write(id, endpoint = 'hook', count = 1) {
      const first = written;
      written += count;
      await db.withTenant(id, (tx) =>
        tx.execute(sql`
          insert into deliveries (application_id, delivery_id, kind, endpoint_id, message_id, subject, content_type, body, run_at, created_at)
          select ${id}, 'dlv' || lpad(n::text, 24, '0'), 'test', ${endpoint}, 'msg' || n, 'test.event', 'text/plain', 'body ' || n,
                 ${tenants.now()}, ${tenants.now()}
            from generate_series(${first}::int, ${first + count - 1}::int) n`),
      );
    },
    deliveries: async (id, endpoint = 'hook') =>
      (await db.withTenant(id, (tx) => listDeliveries(tx, id, endpoint, { page: 1, page_size: 100 }))).rows,
    health: async (id, endpoint = 'hook') => (await db.withTenant(id, (tx) => endpointHealth(tx, id, [endpoint]))).get(endpoint),
    async reset() {
      await db.withSystem('empty', (tx) => tx.execute(sql`delete from deliveries`));
      receiver.received.length = 0;
      receiver.answer = accept;
      world.stops.length = 0;
      world.address = '127.0.0.1';
    },
    async [Symbol.asyncDispose]() {
      await egress.close();
      await receiver[Symbol.asyncDispose]();
      await tenants[Symbol.asyncDispose]();
    },
  };
  return world;
}

/** The same database, but of transactions for `reason` this happens instead: `run` is the transaction itself. */
export function through(db: Database, reason: string, instead: <T>(run: () => Promise<T>) => Promise<T>): Database {
  return {
    ...db,
    withSystem: (why, work, options) =>
      (why === reason ? instead : <T>(run: () => Promise<T>) => run())(() => db.withSystem(why, work, options)),
  };
}
