import { type Config, ConfigError, type KeysRefused } from '@bulkhead/platform';

/** A refusal of `claimKeys` as the setting that is wrong and the way out. */
export function keysRefused(refused: KeysRefused, config: Pick<Config, 'databaseUrl'>): ConfigError {
  switch (refused) {
    case 'another root key':
      return new ConfigError(
        'BULKHEAD_ROOT_KEY',
        'the root key this database was made with, or was rotated to; the one given opens none of its secrets. Processes that share a database share its key: copy root.key of the first data folder, or set the variable in each',
      );
    case 'half of a rotation':
      return new ConfigError(
        'BULKHEAD_ROOT_KEY',
        'both keys of the rotation that is under way: the new one here, the one before in BULKHEAD_ROOT_KEY_PREVIOUS. "npx bulkhead keys status" shows it, "npx bulkhead keys rotate --root" ends it',
      );
    case 'no key folder':
      return new ConfigError(
        'BULKHEAD_KEY_DIR',
        `the folder of Application keys that this database was made with. ${keyFolderHint(config)}`,
      );
    case 'another key folder':
      return new ConfigError(
        'BULKHEAD_KEY_DIR',
        `the folder of Application keys that this database was made with; the one given is another, or empty. ${keyFolderHint(config)}`,
      );
    case 'a key folder with gaps':
      return new ConfigError(
        'BULKHEAD_KEY_DIR',
        'a folder that holds the key of each Application; keys of Applications that exist are missing, and their secrets could not be opened. Put the folder back as it was last',
      );
  }
}

function keyFolderHint({ databaseUrl }: Pick<Config, 'databaseUrl'>): string {
  return databaseUrl === null
    ? 'It is the folder "keys" in the data folder unless the variable says otherwise: put it back'
    : 'Every process on this database must see the same one: share it, and set the variable in each';
}
