import { inspect } from 'node:util';
import type { Log, LogFields } from '@bulkhead/base';

/** A log at its most talkative: every level, every field, errors with stack, cause and whatever hangs from them. */
export function recordingLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const at = (bound: LogFields): Log => {
    const write =
      (level: string) =>
      (message: string, fields: LogFields = {}) => {
        const all = { ...bound, ...fields };
        lines.push(
          `${level} ${message} ${inspect(all, { depth: 12, showHidden: true, breakLength: Infinity, maxStringLength: null, maxArrayLength: null })} ${asJson(all)}`,
        );
      };
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (fields) => at({ ...bound, ...fields }),
    };
  };
  return { log: at({}), lines };
}

function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}
