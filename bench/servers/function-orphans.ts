import { openSupervisor } from '@bulkhead/sandbox';
import { functionCode } from '../stack/function-code.ts';
import { serving } from './serving.ts';

// A supervisor with twenty instances; says their pids, and waits to be killed.
const supervisor = await openSupervisor({ doors: async () => ({ status: 404, headers: [], body: Buffer.alloc(0) }) });
if (supervisor === null) throw new Error('workerd has no program for this machine');
const code = functionCode();
await Promise.all(
  Array.from({ length: 20 }, (_, index) =>
    supervisor.invoke({
      identity: { applicationId: 'app', clientKey: `t${index}`, environment: 'production' },
      version: '1',
      loadCode: async () => code,
      functionName: 'hello',
      payload: '1',
      context: '{}',
      token: '',
    }),
  ),
);
serving({ pids: supervisor.instances.map(({ pid }) => pid) }, () => supervisor.close());
