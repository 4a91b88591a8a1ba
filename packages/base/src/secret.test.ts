import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from './index.ts';

describe('a Secret', () => {
  const secret = new Secret('hunter2');
  const ways: [string, () => string][] = [
    ['String()', () => String(secret)],
    ['a template', () => `${secret as unknown as string}`],
    ['JSON', () => JSON.stringify({ secret })],
    ['inspect', () => inspect({ secret }, { depth: 9, showHidden: true })],
    ['format', () => format('%s %o %j', secret, secret, secret)],
    ['concatenation', () => 'x' + (secret as unknown as string)],
    ['an error message', () => new Error(`${secret as unknown as string}`).message],
    ['its own properties', () => JSON.stringify(Object.entries(secret)) + Object.getOwnPropertyNames(secret).join()],
  ];
  it.each(ways)('does not show in %s', (_way, print) => {
    expect(print()).not.toContain('hunter2');
  });

  it('is shown by reveal() alone', () => {
    expect(secret.reveal()).toBe('hunter2');
  });
});
