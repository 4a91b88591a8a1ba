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
