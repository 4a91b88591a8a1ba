/** How far apart an instance is from the machine. */
export type IsolationLevel =
  /** Namespaces without network, an empty file system, no capabilities, a seccomp filter. */
  | 'jail'
  /** A process of its own, and no more: the engine itself is all that keeps the guest from the machine. */
  | 'process';

export interface Isolation {
  readonly level: IsolationLevel;
  /** Why it is not the jail, as a sentence for the operator; null for the jail. */
  readonly reason: string | null;
}
