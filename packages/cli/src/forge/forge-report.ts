import type { Keys, YamlFile } from '../yaml-file.ts';

/** Of a manifest: what counts here, and what does not. */
export class ForgeReport {
  readonly #file: YamlFile;
  readonly #understood: string[] = [];
  readonly #inert: { readonly what: string; readonly why: string; readonly line: number }[] = [];
  readonly #warnings: { readonly text: string; readonly line: number }[] = [];
  readonly problems: string[] = [];

  constructor(file: YamlFile) {
    this.#file = file;
  }

  understood(what: string): void {
    this.#understood.push(what);
  }

  /** Deployed without effect, for a reason that ends the sentence "… is inert: ". */
  inert(keys: Keys, what: string, why: string): void {
    this.#inert.push({ what, why, line: this.#file.lineOf(keys) });
  }

  /** Understood, and worth a second look. */
  warn(keys: Keys, text: string): void {
    this.#warnings.push({ text, line: this.#file.lineOf(keys) });
  }

  /** What keeps it from being deployed. */
  problem(keys: Keys, text: string): void {
    this.problems.push(`${this.#file.at(keys)}: ${text}`);
  }

  /** The sum in one line, then a line for each that is inert or worth a look, in their order in the file. */
  lines(name: string): string[] {
    const inert = this.#inert.map(({ what, why, line }) => ({ line, text: `${what} is inert: ${why}` }));
    return [
      `${name}: ${this.#understood.length} understood, ${this.#inert.length} inert`,
      ...[...inert, ...this.#warnings].toSorted((one, other) => one.line - other.line).map(({ line, text }) => `${name}:${line}: ${text}`),
    ];
  }
}
