import { z } from 'zod';
import type { FunctionManifest } from './manifest.ts';

/** A permission as it is compared, shown and approved: `fetch:HOST`, `scope:SCOPE`. */
export const requestedPermission = z
  .string()
  .max(300)
  .regex(/^[a-z]+:[\x21-\x7e]+$/, 'expected a permission as it is shown, such as fetch:api.example.com');

/** As many as a manifest may request. */
export const PERMISSIONS_MAX = 300;

/** All that a manifest requests: sorted, each once, so the same wherever it is asked for. */
export function requestedPermissions({ permissions }: FunctionManifest): readonly string[] {
  const requested = [
    ...(permissions?.external?.fetch.backend ?? []).map((host) => `fetch:${host}`),
    ...(permissions?.scopes ?? []).map((scope) => `scope:${scope}`),
  ];
  return [...new Set(requested)].sort();
}
