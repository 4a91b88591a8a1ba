import type { ApplicationId } from '@bulkhead/base';

/** What became of the root key that a rotation has left behind. */
export type RetiredKey = 'destroyed' | 'kept' | 'with the operator';

/**
 * The keys that are not in the database. A root key wraps every data key; where there is room for it outside the database, each
 * Application has a wrapping key of its own besides, and destroying that one ends the Application for old dumps too.
 * Everything is asynchronous and by id, so that a key management service can stand behind it.
 */
export interface KeyService {
  readonly backEnd: 'file' | 'environment';
  /** Ids of the root keys at hand. The first is the one a new database begins with. Never empty. */
  rootKeyIds(): Promise<readonly string[]>;
  /** Wraps under a root key. Throws `vault.unreadable` where the key is not at hand, also after looking again. */
  wrap(rootKeyId: string, plaintext: Uint8Array, boundTo: string): Promise<Buffer>;
  unwrap(rootKeyId: string, wrapped: Uint8Array, boundTo: string): Promise<Buffer>;
  /** The root key that a rotation away from `current` leads to: made and safely kept (file), or given (environment; null: none is). */
  nextRootKey(current: string): Promise<string | null>;
  /**
   * Ends the root key `old`, where this back end holds it, once nothing is wrapped by it any more; `active` takes its place.
   * With `keepOld` it is put aside instead, for backups made before. Safe to repeat, and beside another that does the same.
   */
  retire(old: string, active: string, options: { readonly keepOld: boolean }): Promise<RetiredKey>;
  /** Null where there is no place outside the database: then only the end of the root key ends a deleted Application in old dumps. */
  readonly applicationKeys: ApplicationKeys | null;
}

/** One wrapping key per Application, outside the database, made with it and destroyed with it. */
export interface ApplicationKeys {
  /** Names the place, so that a process with another one is noticed; null where it is not set up yet. */
  placeId(): Promise<string | null>;
  /** Sets the place up where it is not; answers its id. Only before any key was made in another one. */
  setUp(): Promise<string>;
  /** The Application's key; made and safely kept where it has none. Answers its id. */
  ensure(applicationId: ApplicationId): Promise<string>;
  /** Whether the key with this id is there. */
  has(applicationId: ApplicationId, keyId: string): Promise<boolean>;
  wrap(applicationId: ApplicationId, keyId: string, plaintext: Uint8Array, boundTo: string): Promise<Buffer>;
  /** Throws `vault.unreadable` where the key is gone or is another one. */
  unwrap(applicationId: ApplicationId, keyId: string, wrapped: Uint8Array, boundTo: string): Promise<Buffer>;
  /** Destroys the Application's key. Also where there is none. */
  destroy(applicationId: ApplicationId): Promise<void>;
}
