import type { Found, Match, Revoked } from '@bulkhead/platform';
import { table } from './table.ts';

type Counts = Pick<Match, 'accounts' | 'upstreamCredentials' | 'grants' | 'accessTokens' | 'refreshTokens'>;

const NAME_LENGTH_MAX = 24;

/** A table of what matches, its first `rowsMax` rows, and the sum of all. Pure. */
export function matchesAsText(matches: readonly Match[], rowsMax = Number.POSITIVE_INFINITY): string {
  if (matches.length === 0) return 'Nothing matches.\n';
  const rows = matches
    .slice(0, rowsMax)
    .map((match) => [
      match.applicationId,
      shortened(match.applicationName),
      match.service,
      ...[match.accounts, match.upstreamCredentials, match.grants, match.accessTokens, match.refreshTokens].map(String),
      minute(match.oldest),
      minute(match.newest),
    ]);
  const headings = [
    'APPLICATION',
    'NAME',
    'SERVICE',
    'ACCOUNTS',
    'UPSTREAM CREDENTIALS',
    'GRANTS',
    'ACCESS TOKENS',
    'REFRESH TOKENS',
    'OLDEST',
    'NEWEST',
  ];
  const more = matches.length > rows.length ? `… and ${matches.length - rows.length} more rows ("tokens find" shows them all)\n` : '';
  const applications = new Set(matches.map(({ applicationId }) => applicationId)).size;
  return `${table(headings, rows)}${more}In all: ${counted(applications, 'Application')}, ${sentence(sum(matches))}.\n`;
}

export function matchesAsJson({ matches, untold }: Found) {
  return {
    matches: matches.map((match) => ({
      application: match.applicationId,
      name: match.applicationName,
      service: match.service,
      ...wire(match),
      oldest: match.oldest.toISOString(),
      newest: match.newest.toISOString(),
    })),
    total: wire(sum(matches)),
    untold,
  };
}

export function revokedAsText(total: Revoked): string {
  const told =
    total.upstreamCredentials === 0
      ? ''
      : 'A running server tells the services; "tokens find" with the same options says how many are still to be told.\n';
  return `Revoked: ${sentence(total)}.\n${told}`;
}

export function untoldAsText({ waiting, failing }: Found['untold']): string {
  if (waiting === 0) return '';
  const refused = failing === 0 ? '' : `, ${failing} of them failed at least once and are tried again`;
  return `Revoked before, and still to be told to their services: ${counted(waiting, 'upstream credential')}${refused}.\n`;
}

export function wire(counts: Counts) {
  return {
    accounts: counts.accounts,
    upstream_credentials: counts.upstreamCredentials,
    grants: counts.grants,
    access_tokens: counts.accessTokens,
    refresh_tokens: counts.refreshTokens,
  };
}

function sum(matches: readonly Counts[]): Counts {
  const of = (field: keyof Counts) => matches.reduce((total, match) => total + match[field], 0);
  return {
    accounts: of('accounts'),
    upstreamCredentials: of('upstreamCredentials'),
    grants: of('grants'),
    accessTokens: of('accessTokens'),
    refreshTokens: of('refreshTokens'),
  };
}

function sentence(counts: Counts): string {
  return [
    counted(counts.accounts, 'account'),
    counted(counts.upstreamCredentials, 'upstream credential'),
    counted(counts.grants, 'grant'),
    counted(counts.accessTokens, 'access token'),
    counted(counts.refreshTokens, 'refresh token'),
  ].join(', ');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function shortened(name: string): string {
  const printable = name.replaceAll(/\p{Cc}/gu, ' ');
  return printable.length <= NAME_LENGTH_MAX ? printable : `${printable.slice(0, NAME_LENGTH_MAX - 1)}…`;
}

function minute(moment: Date): string {
  return moment.toISOString().slice(0, 16).replace('T', ' ');
}
