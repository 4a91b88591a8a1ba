import { expect, test } from 'vitest';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

test('the suite runs on the Node that npm brings, never on an older one of the machine', () => {
  expect(major >= 24 || (major === 22 && minor >= 18)).toBe(true);
});

test.runIf(process.platform === 'linux')('on Linux that Node comes out of node_modules, 24 unless another was asked for', () => {
  expect(process.execPath).toContain('/node_modules/node-linux-');
  expect(major).toBe(Number(process.env['TEST_NODE'] ?? 24));
});

test('TypeScript sources run as they are, without a build step', () => {
  expect(process.features.typescript).toBe('strip');
});
