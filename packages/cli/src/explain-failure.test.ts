import { defineErrors } from '@bulkhead/base';
import { ConfigError } from '@bulkhead/platform';
import { NoDatabaseYet } from '@bulkhead/server';
import { describe, expect, it } from 'vitest';
import { parseDuration } from './duration.ts';
import { explainFailure } from './explain-failure.ts';
import { startBlock, type StartFacts } from './start-block.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

const system = (code: string, more: object = {}) => Object.assign(new Error(`${code}: it failed`), { code, ...more });
const errors = defineErrors({ 'demo.for_test': { status: 500, wire: 'internal_error', text: 'The database was not migrated: {problem}' } });

describe('what ended a command', () => {
  it.each<[string, unknown, number, readonly string[]]>([
    ['a setting', new ConfigError('BULKHEAD_PORT', 'a port'), 2, ['BULKHEAD_PORT: expected a port.', 'docs/reference/config.md']],
    [
      'several settings',
      new AggregateError(
        [new ConfigError('BULKHEAD_PORT', 'a port'), new ConfigError('BULKHEAD_ROLES', 'roles')],
        'BULKHEAD_PORT: expected a port.\nBULKHEAD_ROLES: expected roles.',
      ),
      2,
      ['BULKHEAD_PORT: expected a port.\nBULKHEAD_ROLES: expected roles.', 'docs/reference/config.md'],
    ],
    ['a wrong option', new UsageError('--name: expected a name.'), 2, ['--name: expected a name.']],
    ['a folder without a database', new NoDatabaseYet('/srv/x'), 1, ['no Bulkhead database in /srv/x', 'BULKHEAD_DATA_DIR']],
    [
      'an error of the catalogue',
      errors('demo.for_test', { params: { problem: 'it is newer.' }, detail: 'hidden' }),
      1,
      ['The database was not migrated: it is newer.'],
    ],
    [
      'a port in use',
      system('EADDRINUSE', { syscall: 'listen', port: 8400, address: '127.0.0.1' }),
      1,
      ['Port 8400 on 127.0.0.1', 'BULKHEAD_PORT='],
    ],
    ['a port for root only', system('EACCES', { syscall: 'listen', port: 80 }), 1, ['port 80', 'BULKHEAD_PORT=']],
    [
      'an address of another machine',
      system('EADDRNOTAVAIL', { syscall: 'listen', address: '192.0.2.1' }),
      1,
      ['192.0.2.1', 'BULKHEAD_HOST'],
    ],
    ['a name that is none', system('ENOTFOUND', { syscall: 'getaddrinfo' }), 1, ['BULKHEAD_HOST']],
    [
      'a folder that may not be written',
      system('EACCES', { syscall: 'mkdir', path: '/srv/x' }),
      1,
      ['may not write to /srv/x', 'BULKHEAD_DATA_DIR'],
    ],
    ['a read-only disk', system('EROFS', { path: '/srv/x' }), 1, ['may not write to /srv/x']],
    ['a file in the way', system('ENOTDIR', { path: '/srv/x' }), 1, ['/srv/x is in the way', 'BULKHEAD_DATA_DIR']],
    ['a full disk', system('ENOSPC', { path: '/srv/x' }), 1, ['no room left']],
  ])('%s is told in sentences, without a stack', (_name, thrown, exitCode, sentences) => {
    const failure = explainFailure(thrown);
    expect(failure.exitCode).toBe(exitCode);
    for (const sentence of sentences) expect(failure.text).toContain(sentence);
    expect(failure.text).not.toMatch(/\n\s+at |hidden/);
  });

  it('where nobody foresaw it, comes with what a report needs', () => {
    expect(explainFailure(new TypeError('x is not a function'))).toEqual({
      exitCode: 1,
      text: expect.stringMatching(/Please report it .*\nTypeError: x is not a function\n\s+at /s),
    });
    expect(explainFailure(new AggregateError([new Error('first'), 'second'])).text).toMatch(/first[\s\S]*second/);
    expect(explainFailure(undefined).exitCode).toBe(1);
  });
});

describe('--expires-in', () => {
  it.each([
    ['1', 1],
    ['90s', 90],
    ['90m', 5_400],
    ['12h', 43_200],
    ['30d', 2_592_000],
    ['2w', 1_209_600],
  ])('%s is %i seconds', (text, seconds) => {
    expect(parseDuration(text, '--expires-in')).toBe(seconds);
  });

  it.each(['', '0', '-1d', '1.5h', '1y', 'd', '1 d', '99999999999', '9999999999w', '1e3'])(
    '%j is refused by the name of the option',
    (text) => {
      expect(() => parseDuration(text, '--expires-in')).toThrow(/^--expires-in: expected a number/);
    },
  );
});

describe('the start block', () => {
  const facts: StartFacts = {
    version: '1.2.3',
    publicUrl: 'http://127.0.0.1:8400',
    demo: null,
    dataDir: '/srv/.bulkhead',
    workingDirectory: '/srv',
    roles: ['api', 'worker'],
    metaToken: { kind: 'earlier' },
  };

  it('ends with the ready line alone', () => {
    expect(startBlock(facts)).toMatch(/\n\nready http:\/\/127\.0\.0\.1:8400\n$/);
  });

  it('shows a new Meta token, and says that it is written once', () => {
    const block = startBlock({ ...facts, metaToken: { kind: 'issued', text: 'bhm_x' } });
    expect(block).toContain('bhm_x');
    expect(block).toContain('Written this once');
    expect(startBlock(facts)).not.toContain('Written this once');
  });

  it('names the data folder as one would type it', () => {
    expect(startBlock(facts)).toContain('in ./.bulkhead\n');
    expect(startBlock({ ...facts, dataDir: '/var/lib/bulkhead' })).toContain('in /var/lib/bulkhead\n');
    expect(startBlock({ ...facts, dataDir: null })).toContain('BULKHEAD_DATABASE_URL');
  });

  it('shows no URL and no token where no API is served', () => {
    const block = startBlock({ ...facts, publicUrl: null, roles: ['worker'], metaToken: { kind: 'issued', text: 'bhm_x' } });
    expect(block).not.toMatch(/http|bhm_x/);
    expect(block).toMatch(/\nready worker\n$/);
  });

  it('shows the demo first, and where its services are', () => {
    const demo = {
      url: 'http://127.0.0.1:8401',
      harbourUrl: 'http://127.0.0.1:8402',
      lanternUrl: 'http://127.0.0.1:36111',
      receiverUrl: 'http://127.0.0.1:8404',
      appUrl: 'http://127.0.0.1:8405',
    };
    const block = startBlock({ ...facts, demo });
    expect(block).toMatch(/Demo +http:\/\/127\.0\.0\.1:8401[\s\S]*API +http/);
    expect(block).toMatch(/Harbour Files +http:\/\/127\.0\.0\.1:8402 [\s\S]*Lantern Notes +http:\/\/127\.0\.0\.1:36111 /);
    expect(block).toMatch(/Issue notes +http:\/\/127\.0\.0\.1:8405 /);
    expect(startBlock(facts)).not.toMatch(/Harbour|Lantern|Issue notes/);
  });
});

it('a table has columns as wide as their widest cell', () => {
  expect(table(['ID', 'NAME'], [['long id', 'x']])).toBe('ID       NAME\nlong id  x\n');
});
