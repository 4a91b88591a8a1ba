import { hkdfSync, randomBytes } from 'node:crypto';
import { applicationId } from '@bulkhead/base';
import { describe, expect, test } from 'vitest';
import { logKeys } from './audit-mac.ts';

describe('RFC 5869 the key of a log', () => {
  test("is what Node's HKDF makes of the audit key and the name of the log", () => {
    for (let round = 0; round < 50; round++) {
      const auditKey = randomBytes(32);
      const id = applicationId.generate();
      const expected = Buffer.from(hkdfSync('sha256', auditKey, '', `bulkhead audit log|application|${id}`, 32));
      expect(logKeys(auditKey)({ kind: 'application', id })).toEqual(expected);
    }
  });

  test('is another for another log and for another audit key', () => {
    const [one, other] = [applicationId.generate(), applicationId.generate()];
    const keyOf = logKeys(randomBytes(32));
    expect(keyOf({ kind: 'application', id: one })).not.toEqual(keyOf({ kind: 'application', id: other }));
    expect(keyOf({ kind: 'application', id: one })).not.toEqual(logKeys(randomBytes(32))({ kind: 'application', id: one }));
  });
});
