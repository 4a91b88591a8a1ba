import { describe, expect, it } from 'vitest';
import { declaredErrors, defineErrors, PlatformError } from './index.ts';

const errors = defineErrors({ 'thing.missing': { status: 404, wire: 'not_found', text: 'There is no {noun}.' } });

describe('an error of a catalogue', () => {
  it('carries its public text, filled in, and keeps detail and cause apart', () => {
    const cause = new Error('secret reason');
    const error = errors('thing.missing', { params: { noun: 'boat' }, detail: 'row 7', cause });
    expect(error).toBeInstanceOf(PlatformError);
    expect(error.publicText).toBe('There is no boat.');
    expect(error.message).not.toContain('row 7');
    expect(error).toMatchObject({ code: 'thing.missing', status: 404, wire: 'not_found', detail: 'row 7', cause });
  });

  it('is listed, so that the reference cannot miss it', () => {
    expect(declaredErrors().get('thing.missing')?.status).toBe(404);
  });
});
