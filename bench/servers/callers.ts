/** A measurement: `callers` loops of `act` for `seconds`; answers acts per second. */
export function callersFor(callers: number, seconds: number): (act: () => Promise<void>) => Promise<number> {
  return async (act) => {
    let acts = 0;
    const startedAt = performance.now();
    const end = startedAt + seconds * 1000;
    const loop = async (): Promise<void> => {
      while (performance.now() < end) {
        await act();
        acts += 1;
      }
    };
    await Promise.all(Array.from({ length: callers }, loop));
    return acts / ((performance.now() - startedAt) / 1000);
  };
}
