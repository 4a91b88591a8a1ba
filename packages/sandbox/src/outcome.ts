import type { Outcome } from './contract.ts';
import type { EngineExit } from './engine.ts';

const TEXT_MAX = 4_000;

/** What our main module answered, if it was our main module: all of it is the guest's word, so every part is looked at and cut. */
export function outcomeOfAnswer(text: string, denials: number): Outcome {
  const value = /^\{"ok":true,"value":(.*)\}$/s.exec(text)?.[1];
  if (value !== undefined) return isJson(value) ? { kind: 'ok', value } : { kind: 'crashed', detail: 'the answer is no JSON' };
  const error = thrownError(text);
  if (error === null) return { kind: 'crashed', detail: 'the answer is none of the form that is expected' };
  if (error.name === 'DeniedError' && denials > 0) return { kind: 'denied', reason: 'egress' };
  return { kind: 'threw', ...error };
}

function thrownError(text: string): { name: string; message: string; stack: string | null } | null {
  try {
    const { ok, error } = JSON.parse(text) as { ok?: unknown; error?: { name?: unknown; message?: unknown; stack?: unknown } };
    if (ok !== false || typeof error?.name !== 'string' || typeof error.message !== 'string') return null;
    return {
      name: error.name.slice(0, 200),
      message: error.message.slice(0, TEXT_MAX),
      stack: typeof error.stack === 'string' ? error.stack.slice(0, TEXT_MAX) : null,
    };
  } catch {
    return null;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Why a process ended by itself: V8 says so on standard error before it gives up for want of memory. */
export function outcomeOfExit({ code, signal, errorText }: EngineExit): Outcome {
  if (/out of memory|\bOOM\b|allocation failed|bad_alloc/i.test(errorText)) return { kind: 'memory' };
  return { kind: 'crashed', detail: `the process ended (${signal ?? code ?? 'it was never there'})` };
}
