import { z } from 'zod';

/** A host that functions may fetch from: by https, unless it says `http://`; `*.` stands for any one or more labels before it. */
export const egressHost = z
  .string()
  .max(260)
  .regex(
    /^(http:\/\/)?(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/,
    'expected a host such as api.example.com, *.example.com or api.example.com:8443',
  );

/**
 * What functions may do with what is their Application's, beside what they keep themselves: list its accounts; call their services;
 * read its events. A closed list.
 * What the App itself was granted where it was installed (READ, WRITE, DELETE) bounds it.
 */
export const FUNCTION_SCOPES = ['accounts:read', 'accounts:use', 'events:read'] as const;

/** `permissions` of a manifest. */
export const functionPermissions = z.strictObject({
  scopes: z.array(z.enum(FUNCTION_SCOPES)).max(FUNCTION_SCOPES.length).optional(),
  external: z.strictObject({ fetch: z.strictObject({ backend: z.array(egressHost).max(100) }) }).optional(),
});
