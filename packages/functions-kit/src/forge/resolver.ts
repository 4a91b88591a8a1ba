/** What a defined function is called with. */
export interface ResolverRequest {
  readonly payload: Record<string, unknown>;
  readonly context: Record<string, unknown>;
}

type ResolverFunction = (request: ResolverRequest) => unknown;

/** What the host calls the handler with. */
interface ResolverCall {
  readonly call?: { readonly functionKey?: unknown; readonly payload?: unknown; readonly jobId?: unknown };
  readonly context?: Readonly<Record<string, unknown>>;
}

/** Functions by their keys behind one handler. Compatible with `@forge/resolver`. */
export default class Resolver {
  readonly #functions = new Map<string, ResolverFunction>();

  define(functionKey: string, run: ResolverFunction): this {
    if (this.#functions.has(functionKey)) throw new Error(`The resolver has a function "${functionKey}" already`);
    this.#functions.set(functionKey, run);
    return this;
  }

  /** The handler of all of them. It throws where the call names none. */
  getDefinitions(): (request: ResolverCall, context?: Readonly<Record<string, unknown>>) => Promise<unknown> {
    return async ({ call, context = {} }, forge = {}) => {
      const key = call?.functionKey;
      const run = typeof key === 'string' ? this.#functions.get(key) : undefined;
      if (run === undefined)
        throw new Error(
          `The resolver defines no function ${JSON.stringify(key) ?? 'without a name'}. It has: ${[...this.#functions.keys()].join(', ')}`,
        );
      const { principal } = forge as { principal?: { accountId?: string } };
      return run({
        payload: (call?.payload ?? {}) as Record<string, unknown>,
        context: {
          ...context,
          ...forge,
          ...(principal?.accountId === undefined ? {} : { accountId: principal.accountId }),
          ...(call?.jobId === undefined ? {} : { jobId: call.jobId }),
        },
      });
    };
  }
}
