import { expect, test } from 'vitest';
import { examineSandbox, probeIsolation } from './examine.ts';

test('an examination says of each part whether it is there, and what to do where it is not', async () => {
  const { isolation, findings, coldStartsMs } = await examineSandbox();
  expect(findings.map(({ part }) => part)).toEqual(
    expect.arrayContaining(['platform', 'engine', 'bwrap', 'prlimit', 'system call filter', 'jail', 'start of a function']),
  );
  for (const { part, state, remedy } of findings) expect([part, remedy === null], part).toEqual([part, state === 'ok']);
  const jail = findings.find(({ part }) => part === 'jail');
  expect(jail?.state).toBe(isolation?.level === 'jail' ? 'ok' : 'failed');
  expect(isolation).toEqual(await probeIsolation());
  expect(coldStartsMs).toHaveLength(5);
  expect(coldStartsMs).toEqual(coldStartsMs.toSorted((a, b) => a - b));
});
