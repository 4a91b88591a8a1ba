import { describe, expect, it } from 'vitest';
import { parseForgeManifest } from './read-forge-manifest.ts';

const good = `app:
  id: ari:cloud:ecosystem::app/6d1e3c1a-0f1b-4c5e-9a3f-2b7d8e4c5f60
  runtime:
    name: nodejs22.x
modules:
  function:
    - key: resolver
      handler: index.handler
  jira:issuePanel:
    - key: panel
      resource: main
      resolver:
        function: resolver
permissions:
  scopes: [storage:app]
  external:
    fetch:
      backend:
        - https://api.example.com/v1
        - address: '*.rates.example.com'
        - remote: warehouse
remotes:
  - key: warehouse
    baseUrl:
      default: https://eu.warehouse.example:8443
      US: https://us.warehouse.example:8443
resources:
  - key: main
    path: static
`;

const read = (text: string, environment: Record<string, string> = {}) =>
  parseForgeManifest('manifest.yml', text, { app: 'notes', environment });
const problems = (text: string, environment: Record<string, string> = {}): string => {
  try {
    read(text, environment);
    return 'none';
  } catch (thrown) {
    return (thrown as Error).message;
  }
};

describe('manifest.yml of Forge', () => {
  it('comes to a manifest of ours; what has no counterpart is named with its line', () => {
    const { manifest, report } = read(good);
    expect(manifest).toEqual({
      app: 'notes',
      functions: [{ key: 'resolver', handler: 'src/index.handler' }],
      permissions: {
        external: {
          fetch: {
            backend: ['api.example.com', '*.rates.example.com', 'eu.warehouse.example:8443', 'us.warehouse.example:8443'],
          },
        },
      },
    });
    expect(report).toEqual([
      'manifest.yml: 5 understood, 2 inert',
      'manifest.yml:10: jira:issuePanel panel is inert: there is no such product behind this host',
      'manifest.yml:27: resources is inert: front ends are served by no one here',
    ]);
  });

  it('gives each module that calls a function one of its own, and maps what calls it', () => {
    const calling = good.replace(
      '  jira:issuePanel:',
      `  webtrigger:
    - { key: Incoming_hook, function: resolver }
    - { key: proven, function: resolver, request: { authentication: { type: hmacSharedSecret } } }
    - { key: fixed, function: resolver, response: { type: static, outputs: [{ key: ok, statusCode: 200 }] } }
  scheduledTrigger:
    - { key: often, function: resolver, interval: fiveMinute }
    - { key: remote, endpoint: elsewhere, interval: week }
  consumer:
    - { key: c1, queue: work, function: resolver }
    - { key: c2, queue: older, resolver: { function: resolver, method: listener } }
  trigger:
    - { key: t1, function: resolver, events: [account.connected, 'avi:jira:created:issue'] }
    - { key: t2, function: resolver, events: ['avi:forge:installed:app'] }
  jira:issuePanel:`,
    );
    const { manifest, functions, report } = read(calling);
    expect(functions.map(({ key, as, options }) => [key, as, options])).toEqual([
      ['resolver', 'function', undefined],
      ['webtrigger-Incoming_hook', 'webtrigger', undefined],
      ['webtrigger-fixed', 'webtrigger', { outputs: [{ key: 'ok', statusCode: 200 }] }],
      ['scheduled-often', 'scheduled', undefined],
      ['consumer-c1', 'consumer', undefined],
      ['consumer-c2', 'consumer', { method: 'listener' }],
      ['trigger-t1', 'trigger', undefined],
    ]);
    expect(manifest).toMatchObject({
      webtriggers: [
        { key: 'incoming-hook', function: 'webtrigger-Incoming_hook', authentication: { type: 'none' } },
        { key: 'fixed', function: 'webtrigger-fixed', authentication: { type: 'none' } },
      ],
      schedules: [{ key: 'often', function: 'scheduled-often', cron: '*/5 * * * *', jitter_seconds: 299, retries: 0 }],
      queues: [
        { key: 'work', function: 'consumer-c1' },
        { key: 'older', function: 'consumer-c2' },
      ],
      triggers: [{ key: 't1', events: ['account.connected'], function: 'trigger-t1' }],
    });
    const said = report.join('\n');
    expect(said).toMatch(/:11: webtrigger proven is inert: it asks for a proof/);
    expect(said).toMatch(/:15: scheduledTrigger remote is inert: it calls an endpoint of a remote/);
    expect(said).toMatch(/:20: event avi:jira:created:issue of trigger t1 is inert/);
    expect(said).toMatch(/:21: trigger t2 is inert: nothing here has an event avi:forge:installed:app/);
    expect(problems(calling.replace('queue: work, function: resolver', 'queue: work, function: gone'))).toMatch(
      /^manifest\.yml:17:7: modules\.consumer\.0: there is no function "gone"/,
    );
  });

  it('keeps limits, entities and variables; what is wrong with them is told where it stands', () => {
    const more = `${good
      .replace('    name: nodejs22.x', '    name: nodejs22.x\n    memoryMB: 512')
      .replace('      handler: index.handler', '      handler: index.handler\n      timeoutSeconds: 900')
      .replace(
        'modules:',
        '  storage:\n    entities:\n      - name: note\n        attributes:\n          text: { type: string }\n        indexes: [text]\nmodules:',
      )}environment:
  variables:
    - key: MODE
      default: quiet
    - OTHER
`;
    expect(read(more).manifest).toMatchObject({
      functions: [{ key: 'resolver', limits: { timeout_seconds: 900, memory_mb: 512 } }],
      storage: { entities: [{ name: 'note', attributes: { text: { type: 'string' } }, indexes: ['text'] }] },
      variables: [{ name: 'MODE', default: 'quiet' }, { name: 'OTHER' }],
    });
    expect(problems(more.replace('type: string', 'type: date'))).toMatch(
      /^manifest\.yml:10:19: app\.storage\.entities\.0\.attributes\.text\.type: /,
    );
    expect(problems(more.replace('- OTHER', '- other'))).toMatch(/^manifest\.yml:\d+:7: environment\.variables\.1/);
  });

  it('asks for the accounts of its providers, and says of which services they are', () => {
    const { manifest, report } = read(`${good}providers:\n  auth:\n    - key: github\n      type: oauth2\n      actions: { any: thing }\n`);
    expect(manifest.permissions?.scopes).toEqual(['accounts:read', 'accounts:use']);
    expect(report.at(-1)).toMatch(/^manifest\.yml:32: provider github stands for the service "github" of the Application/);
  });

  it('is of the App that its id names where nobody says another', () => {
    expect(parseForgeManifest('manifest.yml', good).manifest.app).toBe('6d1e3c1a-0f1b-4c5e-9a3f-2b7d8e4c5f60');
  });

  it('keeps modules of types that nobody has heard of, whatever is in them', () => {
    const strange = good.replace('  jira:issuePanel:', '  moon:base: 3\n  planet:\n    - 7\n  jira:issuePanel:');
    expect(problems(strange)).toMatch(/^manifest\.yml:9:3: modules\.moon:base: /);
    expect(read(strange.replace('moon:base: 3', 'moon:base: {anything: [at, all]}')).report).toContain(
      'manifest.yml:9: moon:base is inert: there is no such product behind this host',
    );
  });

  it('has the variables of the environment in the place of ${NAME}, or their defaults', () => {
    const asked = good.replace('https://api.example.com/v1', 'https://${HOST}/v1');
    const declared = `${asked}environment:\n  variables:\n    - key: HOST\n      default: default.example.com\n`;
    expect(read(declared).manifest.permissions?.external?.fetch.backend[0]).toBe('default.example.com');
    expect(read(declared, { HOST: 'set.example.com' }).manifest.permissions?.external?.fetch.backend[0]).toBe('set.example.com');
    expect(problems(asked, { HOST: 'set.example.com' })).toBe(
      'manifest.yml:19:11: ${HOST} is not declared: add it to environment.variables',
    );
    expect(problems(declared.replace('    - key: HOST\n      default: default.example.com\n', '    - HOST\n'))).toMatch(
      /^manifest\.yml:19:11: \$\{HOST\} has no value: set it in the environment/,
    );
  });

  it.each([
    ['text that is no YAML', 'app: [', /^manifest\.yml:1:\d+: /],
    ['nothing', '', /^manifest\.yml:1:1: the manifest: /],
    ['no id', good.replace(/ {2}id: .*\n/, ''), /^manifest\.yml:1:1: app\.id: /],
    ['an id that is none', good.replace('ari:cloud:ecosystem::app/', 'app-'), /^manifest\.yml:2:3: app\.id: expected an id/],
    [
      'a function without a handler',
      good.replace('      handler: index.handler\n', ''),
      /^manifest\.yml:7:7: modules\.function\.0\.handler: /,
    ],
    ['a handler that is none', good.replace('index.handler', 'index'), /^manifest\.yml:8:7: modules\.function\.0\.handler: expected FILE/],
    [
      'a handler outside of src',
      good.replace('index.handler', 'a/../../x.run'),
      /^manifest\.yml:8:7: modules\.function\.0\.handler: expected a file/,
    ],
    [
      'two functions of one key',
      good.replace('    - key: resolver', '    - key: resolver\n      handler: a.b\n    - key: resolver'),
      /^manifest\.yml:9:7: .*two functions/,
    ],
    [
      'a key that is none here',
      good.replace('key: resolver', 'key: Resolver'),
      /^manifest\.yml:7:7: modules\.function\.0\.key: expected a letter in lower case/,
    ],
    ['every host', good.replace('https://api.example.com/v1', "'*'"), /^manifest\.yml:19:11: .*every host is no declaration here/],
    ['a host that is none', good.replace('https://api.example.com/v1', 'a b'), /^manifest\.yml:19:11: .*is no host such as/],
    [
      'a remote that is not there',
      good.replace('remote: warehouse', 'remote: nowhere'),
      /^manifest\.yml:21:11: .*there is no remote "nowhere"/,
    ],
    ['no function', good.replace(/ {2}function:\n.*\n.*\n/, ''), /^manifest\.yml:5:1: modules\.function: /],
  ])('with %s is refused, with line and column', (_, text, said) => {
    expect(problems(text)).toMatch(said);
  });
});
