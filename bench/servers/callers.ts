export interface CallersResult {
  readonly perSecond: number;
  /** Processor time of this process per act, in µs. */
  readonly cpuPerAct: number;
}

/** A measurement: `callers` loops of `act` for `seconds`. */
export function callersFor(callers: number, seconds: number): (act: () => Promise<void>) => Promise<CallersResult> {
  return async (act) => {
    let acts = 0;
    const startedAt = performance.now();
    const cpuBefore = process.cpuUsage();
    const end = startedAt + seconds * 1000;
    const loop = async (): Promise<void> => {
      while (performance.now() < end) {
        await act();
        acts += 1;
      }
    };
    await Promise.all(Array.from({ length: callers }, loop));
    const cpu = process.cpuUsage(cpuBefore);
    return { perSecond: acts / ((performance.now() - startedAt) / 1000), cpuPerAct: (cpu.user + cpu.system) / acts };
  };
}
