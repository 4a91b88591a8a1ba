import { configFrom, readEnvironment } from '@bulkhead/platform';
import { examineMachine } from '@bulkhead/server';
import { printJson } from './print.ts';
import { printable } from './printable.ts';

const SIGNS = { ok: 'ok  ', warning: 'mind', failed: 'MISS' } as const;

/** Prints what this machine brings, part by part. Exit code 1 where something that is needed is missing. */
export async function doctor({ json = false }: { readonly json?: boolean }): Promise<void> {
  const config = configFrom(readEnvironment(), process.cwd());
  const { isolation, findings } = await examineMachine(config);
  const isFit = findings.every(({ state }) => state !== 'failed');
  if (!isFit) process.exitCode = 1;
  if (json) return printJson({ fit: isFit, functions: isolation, findings });
  const width = Math.max(...findings.map(({ part }) => part.length));
  for (const { part, state, found, remedy } of findings) {
    process.stdout.write(`${SIGNS[state]}  ${part.padEnd(width)}  ${printable(found)}\n`);
    if (remedy !== null) process.stdout.write(`${' '.repeat(width + 8)}→ ${remedy}\n`);
  }
  process.stdout.write(`\n${functionsLine(config.roles.has('runner'), config.sandbox, isolation?.level ?? null)}\n`);
}

function functionsLine(isRunner: boolean, sandbox: 'jail' | 'process', level: 'jail' | 'process' | null): string {
  if (!isRunner) return 'Functions: not in this process (BULKHEAD_ROLES has no runner).';
  if (level === null) return 'Functions: refused, because there is no engine for this machine.';
  if (level === 'jail') return 'Functions: run in the jail.';
  if (sandbox === 'process') return 'Functions: run in plain processes, which BULKHEAD_SANDBOX accepts. Only for code of your own.';
  return 'Functions: refused, because there is no jail and BULKHEAD_SANDBOX accepts no less. The rest runs without.';
}
