import { z } from 'zod';

/** Of a function: what it is called by, and what its bundle exports it as. */
export const functionKey = z
  .string()
  .regex(/^[a-z][A-Za-z0-9_-]{0,62}$/, 'expected a letter in lower case, then letters, digits, - or _, 63 at most');
