import { applicationId } from '@bulkhead/base';
import { describe, expect, test } from 'vitest';
import { Recall, RECALL_MS } from './recall.ts';

const [a, b] = [applicationId.generate(), applicationId.generate()];

function recallAt() {
  const time = { now: 5 };
  const recall = new Recall(() => time.now);
  const keep = (id: typeof a, name: string, value: unknown) => recall.begin(id, name)(value);
  return { time, recall, keep };
}

describe('what was read of a tenant', () => {
  test('is found again under its name, by that tenant alone', () => {
    const { recall, keep } = recallAt();
    keep(a, 'x', 1);
    expect([recall.find(a, 'x'), recall.find(a, 'y'), recall.find(b, 'x')]).toEqual([1, undefined, undefined]);
  });

  test('is forgotten a second after the first read of its compartment began, however late it came', () => {
    const { time, recall } = recallAt();
    const keepFirst = recall.begin(a, 'first');
    time.now += RECALL_MS - 1;
    keepFirst(1);
    recall.begin(a, 'late')(2);
    expect([recall.find(a, 'first'), recall.find(a, 'late')]).toEqual([1, 2]);
    time.now += 1;
    expect([recall.find(a, 'first'), recall.find(a, 'late')]).toEqual([undefined, undefined]);
  });

  test('is not kept where it came more than a second after it was asked for', () => {
    const { time, recall } = recallAt();
    const keep = recall.begin(a, 'x');
    time.now += RECALL_MS;
    keep(1);
    expect(recall.find(a, 'x')).toBeUndefined();
  });

  test('is forgotten as soon as the tenant changes; what belongs to another stays', () => {
    const { recall, keep } = recallAt();
    keep(a, 'x', 1);
    keep(b, 'x', 2);
    recall.forget(a);
    expect([recall.find(a, 'x'), recall.find(b, 'x')]).toEqual([undefined, 2]);
    recall.forgetAll();
    expect(recall.find(b, 'x')).toBeUndefined();
  });

  test.each([
    ['the tenant changed', (recall: Recall) => recall.forget(a)],
    ['anything changed', (recall: Recall) => recall.forgetAll()],
    [
      'the tenant changed and was read again',
      (recall: Recall) => {
        recall.forget(a);
        recall.begin(a, 'other')(3);
      },
    ],
  ])('is not kept where %s while it was read', (_, change) => {
    const { recall } = recallAt();
    const keep = recall.begin(a, 'x');
    change(recall);
    keep('old');
    expect(recall.find(a, 'x')).toBeUndefined();
  });

  test('is bounded: the tenants read first make room', () => {
    const { recall, keep } = recallAt();
    keep(a, 'x', 1);
    for (let at = 0; at < 20_000; at++) keep(b, `${at}`, at);
    expect(recall.find(a, 'x')).toBeUndefined();
    for (let at = 0; at < 20_000; at++) keep(a, `${at}`, at);
    expect(recall.find(b, '0')).toBeUndefined();
    expect(recall.find(a, '19999')).toBe(19_999);
  });
});
