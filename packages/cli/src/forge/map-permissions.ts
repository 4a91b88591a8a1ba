import { egressHost } from '@bulkhead/protocol';
import type { MapPart } from './mapped.ts';

/** Scopes that need nothing here. */
const GRANTED = new Set(['storage:app']);

/** Hosts that code may fetch from, scopes, and accounts of other services. */
export const mapPermissions: MapPart = ({ manifest, report, mapped }) => {
  const { permissions, remotes = [] } = manifest;
  const scopes = permissions?.scopes ?? [];
  for (const [place, scope] of (Array.isArray(scopes) ? scopes : Object.keys(scopes)).entries()) {
    if (GRANTED.has(scope)) report.understood(`scope ${scope}`);
    else report.inert(['permissions', 'scopes', Array.isArray(scopes) ? place : scope], `scope ${scope}`, 'it is of a product');
  }
  (manifest.providers?.auth ?? []).forEach(({ key }, place) => {
    report.understood(`provider ${key}`);
    report.warn(
      ['providers', 'auth', place],
      `provider ${key} stands for the service "${key}" of the Application: its accounts are connected there, by what is configured there`,
    );
    if (mapped.scopes.length === 0) mapped.scopes.push('accounts:read', 'accounts:use');
  });
  (permissions?.external?.fetch?.backend ?? []).forEach((item, place) => {
    const keys = ['permissions', 'external', 'fetch', 'backend', place];
    const where = `permissions.external.fetch.backend.${place}`;
    const remote = typeof item === 'object' && 'remote' in item ? remotes.find(({ key }) => key === item.remote) : undefined;
    if (typeof item === 'object' && 'remote' in item && remote === undefined)
      return report.problem(keys, `${where}: there is no remote ${JSON.stringify(item.remote)}`);
    const addresses =
      remote === undefined
        ? [typeof item === 'string' ? item : String((item as { address?: unknown }).address)]
        : typeof remote.baseUrl === 'string'
          ? [remote.baseUrl]
          : Object.values(remote.baseUrl);
    for (const address of addresses) {
      const host = hostOf(address);
      if (host === null) report.problem(keys, `${where}: ${problemOf(address)}`);
      else if (!mapped.backend.includes(host)) mapped.backend.push(host);
    }
    report.understood(`host ${addresses.join(', ')}`);
  });
};

/** Scheme and host count, a path does not. Null: it is none. */
function hostOf(address: string): string | null {
  const [, scheme, rest = ''] = /^(?:(https?):\/\/)?([^/?#]*)/i.exec(address) ?? [];
  const host = `${scheme?.toLowerCase() === 'http' ? 'http://' : ''}${rest.toLowerCase()}`;
  return egressHost.safeParse(host).success ? host : null;
}

function problemOf(address: string): string {
  return address.trim() === '*'
    ? 'every host is no declaration here: name those that the code fetches from'
    : `${JSON.stringify(address)} is no host such as api.example.com, *.example.com or https://api.example.com`;
}
