import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Wrk } from './machine/wrk.ts';
import { type Cluster, startCluster } from './stack/cluster.ts';

export interface LabOptions {
  readonly rounds: number;
  /** Length of one run of load. */
  readonly seconds: number;
  /** Of what rows with a large database are built with; 1 is what the figure asks for. */
  readonly scale: number;
  readonly say: (text: string) => void;
}

/** What every row may use: a folder, a load generator, one PostgreSQL for all (each row has a database of its own in it). */
export class Lab implements AsyncDisposable {
  readonly rounds: number;
  readonly seconds: number;
  readonly scale: number;
  readonly say: (text: string) => void;
  readonly folder: string;
  readonly wrk: Wrk;
  #cluster: Promise<Cluster> | undefined;

  private constructor(options: LabOptions, folder: string) {
    this.rounds = options.rounds;
    this.seconds = options.seconds;
    this.scale = options.scale;
    this.say = options.say;
    this.folder = folder;
    this.wrk = new Wrk(folder);
  }

  static async open(options: LabOptions): Promise<Lab> {
    return new Lab(options, await mkdtemp(join(tmpdir(), 'bulkhead-bench-')));
  }

  /** Durable, with the settings the product starts it with; on the core of the rest. */
  cluster(): Promise<Cluster> {
    this.#cluster ??= startCluster(join(this.folder, 'data'));
    return this.#cluster;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#cluster?.catch(() => undefined))?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
