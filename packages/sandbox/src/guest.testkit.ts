import {
  type DoorRequest,
  type Doors,
  type InvocationRequest,
  type InvocationResult,
  openSupervisor,
  type Supervisor,
  type SupervisorOptions,
  type Variables,
} from './index.ts';

export interface Guests {
  readonly supervisor: Supervisor;
  /** What reached the doors. */
  readonly asked: DoorRequest[];
  /** Calls `name` of `code` for a tenant; the version is the code. */
  call(
    tenant: string,
    code: string,
    options?: { name?: string; payload?: unknown; version?: string } & Pick<InvocationRequest, 'limits' | 'isolation'> & {
        variables?: Variables;
      },
  ): Promise<InvocationResult>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A supervisor with the real engine, whose doors answer what they were asked. */
export async function guests(options: Partial<SupervisorOptions> & { jail?: boolean } = {}): Promise<Guests> {
  const asked: DoorRequest[] = [];
  const echo: Doors = async (request) => {
    asked.push(request);
    return {
      status: 200,
      headers: [['content-type', 'application/json']],
      body: Buffer.from(JSON.stringify({ url: request.url, client: request.identity.clientKey })),
    };
  };
  const supervisor = await openSupervisor({ doors: echo, ...options }, { jail: options.jail ?? false });
  if (supervisor === null) throw new Error('workerd has no program for this machine');
  return {
    supervisor,
    asked,
    call: (tenant, code, { name = 'run', payload = null, version = code, limits, isolation, variables } = {}) =>
      supervisor.invoke({
        identity: { applicationId: 'app', clientKey: tenant, environment: 'production' },
        version,
        loadCode: async () => code,
        functionName: name,
        payload: JSON.stringify(payload),
        context: JSON.stringify({ clientKey: tenant }),
        token: `token of ${tenant}`,
        ...(variables === undefined ? {} : { loadVariables: async () => variables }),
        ...(limits === undefined ? {} : { limits }),
        ...(isolation === undefined ? {} : { isolation }),
      }),
    [Symbol.asyncDispose]: () => supervisor.close(),
  };
}
