import { type Finding, isTest, type SourceFile } from './source-file.ts';

interface Door {
  readonly module: RegExp;
  /** Folders that may use the whole module. */
  readonly insiders: readonly string[];
  /** Names anybody may import: they open nothing. Absent = none. */
  readonly free?: readonly string[];
  /** Names only insiders may import; everything else is free. Instead of `free`. */
  readonly closed?: readonly string[];
  /** Types carry nothing across, so they are free, unless the module is a private detail of its package. */
  readonly typesFree: boolean;
  /** Tests speak to servers of their own. */
  readonly testsFree: boolean;
  readonly instead: string;
}

const egress = 'packages/http/src/egress/';
const outside = [egress, 'packages/testkit/', 'demo/'];
// The connection to the database is a socket too; it goes where the operator's URL says and nowhere a tenant names.
const sockets = [...outside, 'packages/postgres/'];
const viaEgress = 'outbound calls go through egress, the one door to the network';

const doors: readonly Door[] = [
  {
    module: /^pg(-.+)?$/,
    // The benchmarks measure the door against the driver itself; they are no part of the product. The kit's store takes a pool of its
    // vendor's own database from outside; its test opens one.
    insiders: ['packages/postgres/', 'bench/', 'packages/app-kit/src/store/tenant-store.test.ts'],
    typesFree: false,
    testsFree: false,
    instead: 'use Database of @bulkhead/postgres',
  },
  {
    module: /^(@bulkhead\/postgres|\.\/past-doors\.ts)$/,
    insiders: ['packages/postgres/', 'packages/testkit/'],
    closed: ['runPastDoors'],
    typesFree: true,
    testsFree: true,
    instead: 'use Database of @bulkhead/postgres',
  },
  // The benchmarks measure deliveries against the library itself.
  { module: /^undici(\/.+)?$/, insiders: [egress, 'bench/'], typesFree: false, testsFree: false, instead: viaEgress },
  {
    module: /^(node:)?https?$/,
    // An instance of the sandbox is called over a socket file that its supervisor has made: nothing of a tenant says where that is.
    // The runner calls the api role beside it, at the address that the host tells it.
    insiders: [...outside, 'packages/sandbox/src/instance-socket.ts', 'server/src/runner/api-client.ts'],
    free: [
      'createServer',
      'Server',
      'IncomingMessage',
      'ServerResponse',
      'STATUS_CODES',
      'METHODS',
      'maxHeaderSize',
      'validateHeaderName',
      'validateHeaderValue',
    ],
    typesFree: true,
    testsFree: true,
    instead: viaEgress,
  },
  {
    module: /^(node:)?net$/,
    insiders: sockets,
    free: ['createServer', 'Server', 'isIP', 'isIPv4', 'isIPv6', 'BlockList', 'SocketAddress'],
    typesFree: true,
    testsFree: true,
    instead: viaEgress,
  },
  {
    module: /^(node:)?tls$/,
    insiders: sockets,
    free: ['createServer', 'Server', 'createSecureContext', 'checkServerIdentity', 'rootCertificates'],
    typesFree: true,
    testsFree: true,
    instead: viaEgress,
  },
  { module: /^(node:)?(http2|dgram|dns|dns\/promises)$/, insiders: outside, typesFree: true, testsFree: true, instead: viaEgress },
  {
    module: /^(node:)?process$/,
    insiders: ['packages/platform/src/config/', 'packages/cli/', 'packages/testkit/'],
    closed: ['env', '*'],
    typesFree: true,
    testsFree: true,
    instead: 'the environment is read in platform/src/config only; take what you need as a parameter',
  },
];

/** Modules that open a way out of the process are reserved to the code that guards that way. */
export function checkDoors(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  for (const { specifier, names, typeOnly, line } of file.imports) {
    const door = doors.find((candidate) => candidate.module.test(specifier));
    if (door === undefined || door.insiders.some((folder) => file.path.startsWith(folder))) continue;
    if ((typeOnly && door.typesFree) || (door.testsFree && isTest(file.path))) continue;
    const refused =
      door.closed === undefined
        ? names.filter((name) => !(door.free ?? []).includes(name))
        : names.filter((name) => door.closed?.includes(name));
    if (refused.length === 0 && names.length > 0) continue;
    if (refused.length === 0 && door.closed !== undefined) continue;
    const what = refused.length === 0 ? specifier : `${refused.join(', ')} of ${specifier}`;
    findings.push({ rule: 'doors', path: file.path, line, text: `${what} is not for this folder: ${door.instead}.` });
  }
  return findings;
}
