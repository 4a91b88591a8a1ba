import type { Row } from './row.ts';
import { me1 } from './rows/me-1.ts';
import { me32 } from './rows/me-32.ts';
import { proxy1 } from './rows/proxy-1.ts';
import { proxy32 } from './rows/proxy-32.ts';

/** Every row, in the order in which they run. */
export const rows: readonly Row[] = [me32, me1, proxy32, proxy1];
