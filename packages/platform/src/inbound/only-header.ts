import type { RawRequest } from '@bulkhead/http';

/** A header that came exactly once: of two, somebody may have meant us to check the one and believe the other. */
export function onlyHeader({ message: { rawHeaders } }: RawRequest, name: string): string | null {
  let found: string | null = null;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== name) continue;
    if (found !== null) return null;
    found = rawHeaders[at + 1] ?? '';
  }
  return found === '' ? null : found;
}
