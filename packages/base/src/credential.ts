import { crc32 } from 'node:zlib';
import { applicationId, type ApplicationId } from './id.ts';
import { randomBase62, systemRandom, toBase62, type Random } from './random.ts';
import { Secret } from './secret.ts';
import { sha256 } from './crypto/hash.ts';

const SECRET_LENGTH = 43; // 256 bits in base 62
const CHECKSUM_LENGTH = 6;

export interface IssuedCredential {
  /** The whole credential. Shown once, never stored. */
  readonly secret: Secret;
  /** SHA-256 of the whole credential: what the database keeps. */
  readonly hash: Buffer;
  /** Enough to recognise it in a list: `bhk_…` and the last four characters. */
  readonly shortened: string;
}

export interface ParsedCredential {
  readonly applicationId: ApplicationId;
  readonly hash: Buffer;
}

function checksum(text: string): string {
  return toBase62(crc32(text), CHECKSUM_LENGTH);
}

function shorten(text: string): string {
  return `${text.slice(0, 4)}…${text.slice(-4)}`;
}

/**
 * A credential that names its tenant: `bhk_{22+ characters of the Application id}_{43 random}{6 checksum}`.
 * The tenant can be scoped before the database is asked, and a scanner can tell ours from noise by the checksum alone.
 */
export function defineTenantCredential(prefix: 'bhk' | 'bha' | 'bhr' | 'bhs' | 'bhc' | 'bht' | 'bhp' | 'bhi' | 'bhl' | 'bhu') {
  const form = new RegExp(`^(${prefix}_([0-9A-Za-z]{22,64})_[0-9A-Za-z]{${SECRET_LENGTH}})([0-9A-Za-z]{${CHECKSUM_LENGTH}})$`);
  return {
    prefix,
    issue(owner: ApplicationId, random: Random = systemRandom): IssuedCredential {
      const body = `${prefix}_${owner.slice(applicationId.prefix.length)}_${randomBase62(SECRET_LENGTH, random)}`;
      const text = body + checksum(body);
      return { secret: new Secret(text), hash: sha256(text), shortened: shorten(text) };
    },
    /** The tenant and hash of a well-formed credential, else null. Proves nothing: the database decides. */
    parse(text: string): ParsedCredential | null {
      const match = form.exec(text);
      if (!match || checksum(match[1]!) !== match[3]) return null;
      const id = applicationId.prefix + match[2]!;
      return applicationId.is(id) ? { applicationId: id, hash: sha256(text) } : null;
    },
  };
}

/** A credential of the control plane (no tenant): `bhm_{43 random}{6 checksum}`. */
export function issueControlCredential(prefix: 'bhm', random: Random = systemRandom): IssuedCredential {
  const body = `${prefix}_${randomBase62(SECRET_LENGTH, random)}`;
  const text = body + checksum(body);
  return { secret: new Secret(text), hash: sha256(text), shortened: shorten(text) };
}
