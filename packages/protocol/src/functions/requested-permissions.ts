import { z } from 'zod';
import type { FunctionManifest } from './manifest.ts';

/** A permission as it is compared, shown and approved: `fetch:HOST`, `scope:SCOPE`, and `webtrigger:KEY` of one that anybody may call. */
export const requestedPermission = z
  .string()
  .max(300)
  .regex(/^[a-z]+:[\x21-\x7e]+$/, 'expected a permission as it is shown, such as fetch:api.example.com');

/** As many as a manifest may request. */
export const PERMISSIONS_MAX = 200;

/** All that a manifest requests: sorted, each once, so the same wherever it is asked for. */
export function requestedPermissions({ permissions, webtriggers }: FunctionManifest): readonly string[] {
  const requested = [
    ...(permissions?.external?.fetch.backend ?? []).map((host) => `fetch:${host}`),
    ...(permissions?.scopes ?? []).map((scope) => `scope:${scope}`),
    ...(webtriggers ?? []).filter(({ authentication }) => authentication.type === 'none').map(({ key }) => `webtrigger:${key}`),
  ];
  return [...new Set(requested)].sort();
}
