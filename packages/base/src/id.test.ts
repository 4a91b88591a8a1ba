import { describe, expect, it } from 'vitest';
import { applicationId, defineId } from './index.ts';

describe('an id', () => {
  it('starts with 20 letters or digits, so that an old client recognises it in a URL', () => {
    for (let round = 0; round < 200; round++) expect(applicationId.generate()).toMatch(/^app[a-zA-Z0-9]{22}$/);
  });

  it.each([
    '',
    'app',
    'app-0123456789012345678901',
    'key0123456789012345678901',
    'app01234567890123456789012\n',
    'App0123456789012345678901',
    '../app0123456789012345678901',
  ])('has a form: %j is none', (text) => {
    expect(applicationId.is(text)).toBe(false);
    expect(applicationId.schema.safeParse(text).success).toBe(false);
  });

  it('of one noun is none of another', () => {
    const other = defineId('evt');
    expect(other.is(applicationId.generate())).toBe(false);
    expect(other.is(other.generate())).toBe(true);
  });
});
