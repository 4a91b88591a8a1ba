import { z } from 'zod';

/** Of a variable: what `process.env` of a function has it under. */
export const variableName = z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'expected A-Z, then A-Z, 0-9 or _, 64 at most');

const VALUE_BYTES_MAX = 4_096;

export const variableValue = z
  .string()
  .refine((value) => Buffer.byteLength(value) <= VALUE_BYTES_MAX, `expected at most ${VALUE_BYTES_MAX} bytes`)
  .refine((value) => !value.includes('\u0000') && value.isWellFormed(), 'expected text without NUL');

/** As many as an environment, or an install in it, may have. */
export const VARIABLES_MAX = 50;

const declared = z
  .strictObject({
    name: variableName,
    default: variableValue.optional(),
    secret: z.boolean().optional(),
  })
  .refine(
    (variable) => variable.secret !== true || variable.default === undefined,
    'a secret has no default: everybody could read it here',
  );

/** `variables` of a manifest: which ones a function is given. */
export const functionVariables = z
  .array(declared)
  .max(VARIABLES_MAX)
  .refine((variables) => new Set(variables.map(({ name }) => name)).size === variables.length, 'two variables have the same name');
