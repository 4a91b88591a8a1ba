import { ApiCaller } from './call-api.ts';
import { parseDuration } from './duration.ts';
import type { OfInstall } from './functions.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface RotateSecretOptions extends OfInstall {
  readonly overlap?: string;
}

interface Webtrigger {
  readonly key: string;
  readonly function: string;
  readonly url: string;
  readonly authentication: string;
  readonly has_secret: boolean;
}
interface RotatedSecret {
  readonly url: string;
  readonly authentication: string;
  readonly secret?: string;
  readonly signing_secret?: string;
  readonly previous_secret_expires: string | null;
}

const VARIABLE = 'WEBTRIGGER_SECRET';

/** Prints where an install's web triggers are, and whether their callers have a secret. */
export async function listWebtriggers(app: string, options: OfInstall): Promise<void> {
  const objects = await webtriggersOf(app, options);
  if (options.json) return printJson(objects);
  const rows = objects.map((each) => [
    each.key,
    each.function,
    each.authentication,
    each.authentication === 'none' ? 'anybody may call' : each.has_secret ? 'has a secret' : 'no secret yet: rotate-secret',
    each.url,
  ]);
  process.stdout.write(rows.length === 0 ? 'No web triggers.\n' : table(['KEY', 'FUNCTION', 'AUTHENTICATION', 'CALLERS', 'URL'], rows));
}

/** Prints the address of one, alone. */
export async function printWebtriggerUrl(app: string, key: string, options: OfInstall): Promise<void> {
  const objects = await webtriggersOf(app, options);
  const found = objects.find((each) => each.key === key);
  if (found === undefined)
    throw new UsageError(`There is no web trigger "${key}". There are: ${objects.map((each) => each.key).join(', ') || 'none'}.`);
  if (options.json) return printJson({ url: found.url });
  process.stdout.write(`${found.url}\n`);
}

/** A new secret, printed once; or the one in WEBTRIGGER_SECRET, which the caller has made. The one before counts for a while beside it. */
export async function rotateWebtriggerSecret(app: string, key: string, { overlap, ...options }: RotateSecretOptions): Promise<void> {
  const api = new ApiCaller('META_TOKEN', options);
  const given = process.env[VARIABLE];
  const body = {
    environment: options.environment,
    ...(given === undefined || given === '' ? {} : { secret: given }),
    ...(overlap === undefined ? {} : { overlap_seconds: overlap === '0s' ? 0 : parseDuration(overlap, '--overlap') }),
  };
  const rotated = await api.call<RotatedSecret>('POST', `${pathOf(app, options)}/${encodeURIComponent(key)}/secret`, body);
  if (options.json) return printJson(rotated);
  const { secret, signing_secret: signing, previous_secret_expires: until } = rotated;
  process.stderr.write(
    `Callers of ${rotated.url} prove themselves by ${rotated.authentication === 'bearer' ? 'a bearer secret' : `a signature (${rotated.authentication})`}.\n`,
  );
  process.stderr.write(until === null ? 'No other secret counts.\n' : `The secret before counts until ${until}.\n`);
  if (secret === undefined) return void process.stderr.write(`The secret in ${VARIABLE} counts from now on.\n`);
  process.stderr.write('Shown this once:\n');
  process.stdout.write(`${signing ?? secret}\n`);
}

async function webtriggersOf(app: string, options: OfInstall): Promise<readonly Webtrigger[]> {
  const api = new ApiCaller('META_TOKEN', options);
  const query = `?environment=${encodeURIComponent(options.environment)}`;
  return (await api.call<{ readonly objects: readonly Webtrigger[] }>('GET', pathOf(app, options) + query)).objects;
}

function pathOf(app: string, { application }: OfInstall): string {
  return `/v1/meta/applications/${encodeURIComponent(application)}/installs/${encodeURIComponent(app)}/webtriggers`;
}
