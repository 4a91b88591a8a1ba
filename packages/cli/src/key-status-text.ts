import type { KeyStatus } from '@bulkhead/platform';

/** `bulkhead keys status` for people. Pure. */
export function keyStatusText(status: KeyStatus): string {
  const lines: [string, string][] = [
    ['Root key', `${status.current ?? 'none yet'} (${status.backEnd === 'file' ? 'data folder' : 'given by the environment'})`],
    ...(status.previous === null ? [] : [['', `takes the place of ${status.previous}`] as [string, string]]),
    ['Application keys', status.hasKeyFolder ? 'in the key folder' : 'none: no key folder (BULKHEAD_KEY_DIR)'],
    ['Data keys', `${status.dataKeys} of ${status.applications} Applications${oldest(status)}`],
    ...(status.dataKeysByRootKey.length > 1
      ? status.dataKeysByRootKey.map(({ rootKeyId, dataKeys }): [string, string] => ['', `${dataKeys} wrapped by root key ${rootKeyId}`])
      : []),
    ...(status.withOlderVersions === 0
      ? []
      : [['', `${status.withOlderVersions} Applications with an older one beside the newest`] as [string, string]]),
    ['Rotations', status.rotations.length === 0 ? 'none under way' : ''],
    ...status.rotations.map((each): [string, string] => ['', rotationText(each)]),
    ['Deletions', deletionsText(status)],
  ];
  return lines
    .filter(([name, text]) => name !== '' || text !== '')
    .map(([name, text]) => `${name.padEnd(18)}${text}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

function oldest({ oldestDataKey }: KeyStatus): string {
  return oldestDataKey === null ? '' : `, the oldest in use since ${oldestDataKey.toISOString().slice(0, 10)}`;
}

function rotationText({ kind, startedAt, from, to, limitedTo }: KeyStatus['rotations'][number]): string {
  const what = kind === 'root' ? `root key ${from} to ${to}` : `data keys of ${limitedTo ?? 'all Applications'}`;
  return `${what}, begun ${startedAt.toISOString().slice(0, 16).replace('T', ' ')}: "npx bulkhead keys rotate --${kind}${limitedTo === null ? '' : ` --application ${limitedTo}`}" goes on`;
}

function deletionsText({ awaiting, openUnderRootKeyAlone }: KeyStatus): string {
  const waiting = awaiting.map(
    ({ rootKeyId, deletions }) =>
      `${deletions} deleted Applications stay readable in older dumps until root key ${rootKeyId} is rotated and destroyed`,
  );
  if (openUnderRootKeyAlone > 0)
    waiting.push(
      `${openUnderRootKeyAlone} Applications, if deleted now, would stay readable in older dumps until the next rotation of the root key`,
    );
  return waiting.length === 0 ? 'complete: older dumps open nothing of a deleted Application' : waiting.join('\n                  ');
}
