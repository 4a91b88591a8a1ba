import { describe, expect, test } from 'vitest';
import { checkFile, checkTree, renderFinding } from './check.ts';
import { listSourceFiles, parseSourceFile } from './source-file.ts';

const root = `${import.meta.dirname}/../..`;

function found(path: string, text: string): string[] {
  return checkFile(parseSourceFile(path, text)).map((finding) => finding.rule);
}

describe('the tree itself', () => {
  test('keeps every rule of the house', () => {
    expect(checkTree(root).map(renderFinding)).toEqual([]);
  });

  test('is read: the walk reaches the ground floor and this very file', () => {
    const paths = listSourceFiles(root);
    expect(paths).toContain('packages/base/src/index.ts');
    expect(paths).toContain('tests/lint/rules.test.ts');
    expect(paths.some((path) => path.includes('node_modules'))).toBe(false);
  });

  test('a file that does not parse is an error, not a file without findings', () => {
    expect(() => parseSourceFile('packages/base/src/x.ts', 'import { from')).toThrow(SyntaxError);
  });
});

describe('floors: an import goes down', () => {
  test.each([
    ['base to protocol', 'packages/base/src/x.ts', `import { a } from '@bulkhead/protocol';`],
    ['protocol to postgres, its neighbour', 'packages/protocol/src/x.ts', `import { a } from '@bulkhead/postgres';`],
    ['postgres to http', 'packages/postgres/src/x.ts', `import { a } from '@bulkhead/http';`],
    ['http to platform', 'packages/http/src/x.ts', `import { a } from '@bulkhead/platform';`],
    ['platform to server', 'packages/platform/src/surfaces/x.ts', `import { a } from '@bulkhead/server';`],
    ['platform to testkit outside a test', 'packages/platform/src/surfaces/x.ts', `import { a } from '@bulkhead/testkit';`],
    ['server to cli', 'server/src/x.ts', `import { a } from '@bulkhead/cli';`],
    ['up by a type', 'packages/base/src/x.ts', `import type { A } from '@bulkhead/http';`],
    ['up by an inline type', 'packages/base/src/x.ts', `export type A = import('@bulkhead/http').A;`],
    ['up by a re-export', 'packages/base/src/x.ts', `export * from '@bulkhead/http';`],
    ['up by a dynamic import', 'packages/base/src/x.ts', `export const a = await import('@bulkhead/http');`],
    ['up in a test', 'packages/base/src/x.test.ts', `import { a } from '@bulkhead/platform';`],
    ['a package without a floor', 'packages/base/src/x.ts', `import { a } from '@bulkhead/unknown';`],
    ['from a package without a floor', 'packages/unknown/src/x.ts', `export const a = 1;`],
  ])('%s is found', (_, path, text) => {
    expect(found(path, text)).toEqual(['floors']);
  });

  test.each([
    ['protocol to base', 'packages/protocol/src/x.ts', `import { a } from '@bulkhead/base';`],
    ['http to postgres', 'packages/http/src/x.ts', `import { a } from '@bulkhead/postgres';`],
    ['server to platform', 'server/src/x.ts', `import { a } from '@bulkhead/platform';`],
    ['a test to testkit', 'packages/postgres/src/x.test.ts', `import { a } from '@bulkhead/testkit';`],
    ['the test tree to anything', 'tests/acceptance/x.test.ts', `import { a } from '@bulkhead/cli';`],
  ])('control: %s is allowed', (_, path, text) => {
    expect(found(path, text)).toEqual([]);
  });
});

describe('faces: a package or slice is entered through its index', () => {
  test.each([
    ['a path inside a package', 'packages/http/src/x.ts', `import { a } from '@bulkhead/base/src/id.ts';`],
    ['another package by path', 'packages/http/src/x.ts', `import { a } from '../../base/src/index.ts';`],
    ['a package by path from the test tree', 'tests/isolation/x.test.ts', `import { a } from '../../packages/base/src/index.ts';`],
    ['the inside of a lower slice', 'packages/platform/src/tokens/x.ts', `import { a } from '../vault/credential-store.ts';`],
  ])('%s is found', (_, path, text) => {
    expect(found(path, text)).toEqual(['faces']);
  });

  test.each([
    ['the face of a lower slice', 'packages/platform/src/tokens/x.ts', `import { a } from '../vault/index.ts';`],
    ['the inside of the own slice', 'packages/platform/src/tokens/grants/x.ts', `import { a } from '../token-store.ts';`],
  ])('control: %s is allowed', (_, path, text) => {
    expect(found(path, text)).toEqual([]);
  });
});

describe('slices: an import goes to an earlier row', () => {
  test.each([
    ['vault to accounts', 'packages/platform/src/vault/x.ts', `import { a } from '../accounts/index.ts';`],
    ['accounts to webhooks, its neighbour', 'packages/platform/src/accounts/x.ts', `import { a } from '../webhooks/index.ts';`],
    ['events to surfaces by a type', 'packages/platform/src/events/x.ts', `import type { A } from '../surfaces/index.ts';`],
    ['any slice to the composition root', 'packages/platform/src/surfaces/x.ts', `import { a } from '../platform.ts';`],
    ['a test of a low slice to a high one', 'packages/platform/src/vault/x.test.ts', `import { a } from '../accounts/index.ts';`],
    ['a slice nobody has placed', 'packages/platform/src/billing/x.ts', `export const a = 1;`],
  ])('%s is found', (_, path, text) => {
    expect(found(path, text)).toEqual(['slices']);
  });

  test.each([
    ['authorization to accounts', 'packages/platform/src/authorization/x.ts', `import { a } from '../accounts/index.ts';`],
    ['the composition root to surfaces', 'packages/platform/src/platform.ts', `import { a } from './surfaces/index.ts';`],
    ['the face to the composition root', 'packages/platform/src/index.ts', `export { a } from './platform.ts';`],
  ])('control: %s is allowed', (_, path, text) => {
    expect(found(path, text)).toEqual([]);
  });
});

describe('doors: what opens a way out is reserved to its guard', () => {
  test.each([
    ['pg outside postgres', 'packages/platform/src/vault/x.ts', `import pg from 'pg';`],
    ['a type of pg outside postgres', 'packages/platform/src/vault/x.ts', `import type { Pool } from 'pg';`],
    ['pg in a test of another package', 'packages/platform/src/vault/x.test.ts', `import pg from 'pg';`],
    ['undici outside egress', 'packages/http/src/server/x.ts', `import { request } from 'undici';`],
    ['http.request', 'packages/platform/src/vault/x.ts', `import { request } from 'node:http';`],
    ['the whole of node:https', 'packages/platform/src/vault/x.ts', `import * as https from 'node:https';`],
    ['the default of http without its prefix', 'packages/platform/src/vault/x.ts', `import http from 'http';`],
    ['a dynamic node:net', 'packages/platform/src/vault/x.ts', `export const net = await import('node:net');`],
    ['a socket', 'packages/http/src/server/x.ts', `import { createServer, Socket } from 'node:net';`],
    ['require of node:tls', 'packages/platform/src/vault/x.ts', `export const tls = require('node:tls');`],
    ['a name looked up by hand', 'packages/platform/src/applications/x.ts', `import { resolveTxt } from 'node:dns/promises';`],
    ['statements past the doors', 'packages/platform/src/vault/x.ts', `import { runPastDoors } from '@bulkhead/postgres';`],
    ['env of node:process', 'packages/platform/src/vault/x.ts', `import { env } from 'node:process';`],
  ])('%s is found', (_, path, text) => {
    expect(found(path, text)).toEqual(['doors']);
  });

  test.each([
    ['pg in postgres', 'packages/postgres/src/x.ts', `import pg from 'pg';`],
    ['undici in egress', 'packages/http/src/egress/x.ts', `import { Pool } from 'undici';`],
    ['a server', 'packages/http/src/server/x.ts', `import { createServer, STATUS_CODES } from 'node:http';`],
    ['a type of node:http', 'packages/http/src/server/x.ts', `import { type ClientRequest, createServer } from 'node:http';`],
    ['the socket of a database connection', 'packages/postgres/src/x.ts', `import { Socket } from 'node:net';`],
    ['a socket in egress', 'packages/http/src/egress/x.ts', `import { connect } from 'node:net';`],
    ['the doors themselves', 'packages/platform/src/vault/x.ts', `import { openDatabase } from '@bulkhead/postgres';`],
    ['statements past the doors in a test', 'tests/faults/x.ts', `import { runPastDoors } from '@bulkhead/postgres';`],
    ['a request in a test', 'packages/platform/src/vault/x.test.ts', `import { request } from 'node:http';`],
    ['env in the config', 'packages/platform/src/config/env.ts', `import { env } from 'node:process';`],
    ['another name of node:process', 'packages/platform/src/vault/x.ts', `import { hrtime } from 'node:process';`],
  ])('control: %s is allowed', (_, path, text) => {
    expect(found(path, text)).toEqual([]);
  });
});

describe('suppressions: a rule is switched off by name, for one line, for a reason', () => {
  test.each([
    ['without a reason', '// oxlint-disable-next-line no-console'],
    ['with an empty reason', '// oxlint-disable-next-line no-console -- so'],
    ['without a rule', '// oxlint-disable-next-line -- the start block is what the operator reads'],
    ['for a whole file', '/* oxlint-disable no-console -- the start block is what the operator reads */'],
    ['in the older spelling', 'f(); // eslint-disable-line no-console'],
  ])('%s is found', (_, text) => {
    expect(found('packages/base/src/x.ts', text)).toEqual(['suppressions']);
  });

  test.each([
    ['a named rule with a reason', '// oxlint-disable-next-line no-console -- the start block is what the operator reads'],
    ['prose about suppressions', '// Why there is no oxlint-disable here'],
  ])('control: %s is allowed', (_, text) => {
    expect(found('packages/base/src/x.ts', text)).toEqual([]);
  });
});
