import { entitiesOf, type StorageDeclaration, storageDeclaration } from '@bulkhead/protocol';
import { type CallContext, type Host, PLACE } from '../host.ts';
import { accountService, type TestAccounts } from './memory-accounts.ts';
import { eventService, type TestEvents } from './memory-events.ts';
import { MemoryQueues, type TestJob } from './memory-queues.ts';
import { MemoryRefusal } from './memory-refusal.ts';
import { MemoryStorage } from './memory-storage.ts';

export interface TestHostOptions extends TestAccounts, TestEvents {
  /** Keys of the queues that bulkhead.yml declares. */
  readonly queues?: readonly string[];
  /** The part `storage` of bulkhead.yml, as it says there. */
  readonly storage?: StorageDeclaration;
  readonly context?: Partial<CallContext>;
  /** What `variables` has. */
  readonly variables?: Readonly<Record<string, string>>;
  /** What answers `fetch`. Absent: every host is undeclared. */
  readonly fetch?: (request: Request) => Response | Promise<Response>;
  /** Milliseconds since 1970 at the beginning; from then on time goes by `advance` alone. Default: now. */
  readonly now?: number;
}

/** A host in memory around code that imports `@bulkhead/functions-kit`, for unit tests: one install in one environment. */
export interface TestHost extends Disposable {
  readonly context: CallContext;
  /** What was pushed to queues, in order. */
  readonly jobs: readonly TestJob[];
  /** Lets time go by, in milliseconds: what has a ttl ends. */
  advance(ms: number): void;
  /** Takes the host away again; so does `using`. */
  close(): void;
}

const SERVICES = 'http://host.bulkhead.internal/';

type Service = (body: unknown) => unknown;

/** Puts a host around the code of this process until it is closed. One at a time: throws where there is one. */
export function openTestHost(options: TestHostOptions = {}): TestHost {
  const places = globalThis as Record<symbol, unknown>;
  if (places[PLACE] !== undefined) throw new Error('There is a host around this code already: close it first');
  let now = options.now ?? Date.now();
  const context: CallContext = {
    applicationId: 'appOfATest0000000000000000',
    clientKey: 'insOfATest0000000000000000',
    appKey: 'app-of-a-test',
    environment: 'development',
    version: 1,
    invocationId: 'invOfATest0000000000000000',
    function: 'test',
    userId: null,
    ...options.context,
  };
  const declared = options.storage === undefined ? undefined : storageDeclaration.parse(options.storage);
  const storage = new MemoryStorage(entitiesOf(declared), () => now);
  const queues = new MemoryQueues(options.queues ?? []);
  const services = new Map<string, Service>([
    ['storage', (body) => storage.answer(body)],
    ['queue', (body) => queues.answer(body as Parameters<MemoryQueues['answer']>[0])],
  ]);
  const host: Host = {
    context: () => context,
    variables: options.variables ?? {},
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const service = request.url.startsWith(SERVICES) ? services.get(request.url.slice(SERVICES.length)) : undefined;
      if (service !== undefined) return answered(service, await request.json());
      const place = request.url.startsWith(SERVICES) ? request.url.slice(SERVICES.length - 1) : '';
      const answer = eventService(options, place) ?? (await accountService(options, place, request));
      if (answer !== null) return answer;
      if (options.fetch === undefined || request.url.startsWith(SERVICES))
        throw Object.assign(new Error(`${request.url} is not declared`), { name: 'DeniedError' });
      return options.fetch(request);
    },
  };
  places[PLACE] = host;
  const close = (): void => {
    if (places[PLACE] === host) delete places[PLACE];
  };
  return { context, jobs: queues.jobs, advance: (ms) => void (now += ms), close, [Symbol.dispose]: close };
}

function answered(service: Service, body: unknown): Response {
  try {
    return Response.json(service(body));
  } catch (thrown) {
    if (!(thrown instanceof MemoryRefusal)) throw thrown;
    return Response.json({ code: thrown.code, message: thrown.message }, { status: 400 });
  }
}
