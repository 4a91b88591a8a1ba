import type { FunctionManifest } from '@bulkhead/protocol';
import { functionErrors } from './function-errors.ts';
import type { FunctionRunner, Outcome } from './function-runner.ts';

const PROBLEM_MAX = 1_000;

/**
 * Has code started once by the runner, for nobody. What it is given as variables are the defaults of the manifest, and nothing for the others.
 * Throws `function.no_runner`, `function.busy`, `function.does_not_load`.
 */
export async function assertLoads(runner: FunctionRunner, { manifest, code }: { manifest: FunctionManifest; code: string }): Promise<void> {
  const reason = await runner.refusal();
  if (reason !== null) throw functionErrors('function.no_runner', { params: { reason }, retryAfterSeconds: 30 });
  const functions = manifest.functions.map(({ key }) => key);
  const variables = Object.fromEntries((manifest.variables ?? []).map(({ name, default: value = '' }) => [name, value]));
  const { outcome } = await runner.check({ code, functions, variables });
  if (outcome.kind === 'denied' && outcome.reason === 'busy')
    throw functionErrors('function.busy', { retryAfterSeconds: outcome.retryAfterSeconds ?? 1 });
  const problem = problemOf(outcome, functions);
  if (problem !== null) throw functionErrors('function.does_not_load', { field: 'code', params: { problem: shown(problem) } });
}

function problemOf(outcome: Outcome, functions: readonly string[]): string | null {
  switch (outcome.kind) {
    case 'ok': {
      const exported = listOf(outcome.value);
      const missing = functions.filter((key) => !exported.includes(key));
      return missing.length === 0 ? null : `it exports no function named ${missing.join(', ')}.`;
    }
    case 'threw':
      return `${outcome.name}: ${outcome.message}`;
    case 'timeout':
      return outcome.limit === 'cpu' ? 'it took too much CPU time.' : 'it took too long to start.';
    case 'memory':
      return 'it took too much memory.';
    case 'denied':
      return 'its answer was none.';
    case 'crashed':
      return outcome.detail;
  }
}

/** By the guest's own word, so anything may stand there. */
function listOf(json: string): readonly unknown[] {
  const value = JSON.parse(json) as unknown;
  return Array.isArray(value) ? value : [];
}

/** The guest's words, in one line that turns nothing in a terminal. */
function shown(problem: string): string {
  const line = problem.replaceAll(/\s+/gu, ' ').replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '\uFFFD');
  return line.length <= PROBLEM_MAX ? line : `${line.slice(0, PROBLEM_MAX)}…`;
}
