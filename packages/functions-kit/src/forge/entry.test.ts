import { describe, expect, it } from 'vitest';
import type { CallContext } from '../host.ts';
import { asConsumer, asFunction, asScheduled, asTrigger, asWebtrigger } from './entry.ts';
import { InvocationError } from './invocation-error.ts';
import Resolver from './resolver.ts';

const call: CallContext = {
  applicationId: 'appA',
  clientKey: 'insA',
  appKey: 'notes',
  environment: 'staging',
  version: 3,
  invocationId: 'invA',
  function: 'run',
  userId: null,
};
const echo = (payload: unknown, context: unknown) => ({ payload, context });
const context = {
  installContext: 'ari:cloud:bulkhead::site/appA',
  installation: { ari: { installationId: 'insA' }, contexts: [{ cloudId: 'appA' }] },
};
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a handler of Forge', () => {
  it('is called with its payload and a context that has no license and no principal', () => {
    expect(json(asFunction('run', echo)({ any: 1 }, call))).toEqual({ payload: { any: 1 }, context });
  });

  it('is told of the person that it is called for', () => {
    expect(json(asFunction('run', echo)(null, { ...call, userId: 'ada' }))).toMatchObject({ context: { principal: { accountId: 'ada' } } });
  });

  it('of a schedule gets where and by which module', () => {
    expect(json(asScheduled('daily', echo)(null, call))).toEqual({
      payload: { context: { cloudId: 'appA', moduleKey: 'daily' }, contextToken: '' },
      context,
    });
  });

  it('of a trigger gets the event', () => {
    expect(json(asTrigger('on', echo)({ type: 'account.connected', account: 'acc1' }, call))).toEqual({
      payload: {
        type: 'account.connected',
        eventType: 'account.connected',
        account: 'acc1',
        context: { cloudId: 'appA', moduleKey: 'on' },
      },
      context,
    });
  });

  it('of a queue gets the event of its push, and of an attempt before what that said', () => {
    const job = { id: 'job1', source: 'queue', key: 'work', pushId: 'psh1', attempt: 1, attemptsMax: 5, retry: null } as const;
    expect(asConsumer('c', (event) => event)({ body: { a: 1 } }, { ...call, job })).toEqual({
      body: { a: 1 },
      queueName: 'work',
      jobId: 'psh1',
      eventId: 'job1',
    });
    const again = { ...job, attempt: 2, retry: { reason: 'FUNCTION_RETRY_REQUEST', data: { at: 7 } } };
    expect(asConsumer('c', (event) => event)({ body: { a: 1 } }, { ...call, job: again })).toMatchObject({
      retryContext: { retryCount: 1, retryReason: 'FUNCTION_RETRY_REQUEST', retryData: { at: 7 } },
    });
  });

  it('of a queue by a resolver gets the payload of version 1', async () => {
    const job = { id: 'job1', source: 'queue', key: 'work', pushId: 'psh1', attempt: 1, attemptsMax: 5, retry: null } as const;
    const handler = new Resolver().define('listener', ({ payload, context: { jobId } }) => [payload, jobId]).getDefinitions();
    expect(await asConsumer('c', handler as never, { method: 'listener' })({ payload: 'hello' }, { ...call, job })).toEqual([
      'hello',
      'psh1',
    ]);
  });

  it('behind a static address answers with one of its outputs', async () => {
    const outputs = [{ key: 'ok', statusCode: 200, contentType: 'text/plain', body: 'fine' }];
    expect(await asWebtrigger('w', () => ({ outputKey: 'ok' }), { outputs })({}, call)).toEqual({
      statusCode: 200,
      headers: { 'Content-Type': ['text/plain'] },
      body: 'fine',
    });
    await expect(asWebtrigger('w', () => ({ statusCode: 200 }), { outputs })({}, call)).rejects.toThrow('no output');
  });
});

describe('a resolver', () => {
  const handler = new Resolver().define('who', ({ payload, context: given }) => ({ payload, given })).getDefinitions();

  it('calls the function that is named; what the caller says of the place does not count', async () => {
    const forged = { cloudId: 'appB', environmentType: 'PRODUCTION', localId: 'mine' };
    const answer = await asFunction('run', handler as never)({ call: { functionKey: 'who', payload: { a: 1 } }, context: forged }, call);
    expect(json(answer)).toEqual({
      payload: { a: 1 },
      given: { ...context, localId: 'mine', cloudId: 'appA', moduleKey: 'run', environmentId: 'staging', environmentType: 'STAGING' },
    });
  });

  it.each([[{ call: { functionKey: 'other' } }], [{ call: {} }], [{}]])('refuses %j, and says what there is', async (payload) => {
    await expect(handler(payload)).rejects.toThrow('It has: who');
  });

  it('defines nothing twice', () => {
    expect(() => new Resolver().define('a', () => 1).define('a', () => 2)).toThrow('already');
  });
});

it('InvocationError is what the host reads as a request to try again', () => {
  expect(json(new InvocationError({ retryAfter: 5, retryData: { a: 1 } }))).toEqual({
    _retry: true,
    retryOptions: { retryAfter: 5, retryReason: 'FUNCTION_RETRY_REQUEST', retryData: { a: 1 } },
  });
});
