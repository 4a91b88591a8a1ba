import type { Outcome } from './contract.ts';
import type { EngineExit } from './engine.ts';

const TEXT_MAX = 4_000;
/** Of arrays and objects in an answer: whoever reads it further may do so by recursion. */
const DEPTH_MAX = 100;

/** What our main module answered, if it was our main module: all of it is the guest's word, so every part is looked at and cut. */
export function outcomeOfAnswer(text: string, denials: number): Outcome {
  const value = /^\{"ok":true,"value":(.*)\}$/s.exec(text)?.[1];
  if (value !== undefined) {
    if (!isJson(value)) return { kind: 'crashed', detail: 'the answer is no JSON' };
    return isDeep(value) ? { kind: 'denied', reason: 'answer_too_deep' } : { kind: 'ok', value };
  }
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

/** Whether JSON is nested deeper than it may be. */
function isDeep(json: string): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (isText) {
      if (character === '\\') at++;
      else if (character === '"') isText = false;
    } else if (character === '"') isText = true;
    else if (character === '[' || character === '{') {
      if (++depth > DEPTH_MAX) return true;
    } else if (character === ']' || character === '}') depth--;
  }
  return false;
}

/** Why a process ended by itself: V8 says so on standard error before it gives up for want of memory. */
export function outcomeOfExit({ code, signal, errorText }: EngineExit): Outcome {
  if (isOutOfMemory(errorText)) return { kind: 'memory' };
  return { kind: 'crashed', detail: `the process ended (${signal ?? code ?? 'it was never there'})` };
}

export function isOutOfMemory(errorText: string): boolean {
  return /out of memory|\bOOM\b|allocation failed|bad_alloc/i.test(errorText);
}
