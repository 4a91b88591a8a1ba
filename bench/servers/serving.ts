/** Says that this program serves, and ends it with the one that started it. */
export function serving(facts: unknown, stop: () => Promise<void> | void): void {
  let stopping = false;
  const end = (): void => {
    if (stopping) return;
    stopping = true;
    void Promise.resolve(stop()).finally(() => process.exit(0));
  };
  process.once('SIGTERM', end);
  process.stdin.once('end', end).resume();
  process.stdout.write(`ready ${JSON.stringify(facts)}\n`);
}

/** The options that were handed over on the command line. */
export function givenOptions<Options>(): Options {
  return JSON.parse(process.argv.at(-1) ?? '{}') as Options;
}
