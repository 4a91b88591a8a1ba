import { guests } from './guest.testkit.ts';

// A process with a supervisor and a call that never ends: prints the pid of the instance and waits to be killed.
const world = await guests({ jail: process.argv[2] === 'jail', limits: { wallMs: 600_000, cpuMs: 600_000 } });
void world.call('one', 'export const run = () => new Promise(() => setInterval(() => {}, 1000))');
const timer = setInterval(() => {
  const pid = world.supervisor.instances[0]?.pid;
  if (pid == null) return;
  clearInterval(timer);
  process.stdout.write(`${pid}\n`);
}, 20);
setInterval(() => undefined, 1_000);
