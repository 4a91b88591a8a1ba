import { expect, test } from 'vitest';
import { isRunning, killedSupervisor } from './orphans.testkit.ts';

test('an instance ends with its supervisor, however that ended', async () => {
  const pid = await killedSupervisor('process');
  await expect.poll(() => isRunning(pid)).toBe(false);
});
