/** `npm run docs`: writes `docs/reference` from the code. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { referenceFiles } from './reference-files.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'docs/reference');
await mkdir(folder, { recursive: true });
for (const [name, text] of Object.entries(await referenceFiles(root))) await writeFile(join(folder, name), text);
