import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { functionManifest } from '@bulkhead/protocol';
import { UsageError } from './usage-error.ts';

export interface InitOptions {
  readonly app: string;
}

/** Writes a folder of functions that deploys as it is. Throws `UsageError` where a file of it is there already; then none is written. */
export async function initFunctions(folder: string, { app }: InitOptions): Promise<void> {
  if (!functionManifest.shape.app.safeParse(app).success)
    throw new UsageError('--app: expected the key of an App, such as notes or com.example.notes.');
  const root = resolve(folder);
  const files = filesOf(app);
  await mkdir(join(root, 'src'), { recursive: true });
  const written: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    try {
      await writeFile(join(root, name), text, { flag: 'wx' });
      written.push(name);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
      if (written.length === 0) throw new UsageError(`${join(folder, name)} is there already: nothing was written. Name another folder.`);
      process.stderr.write(`${join(folder, name)} is there already, and stays as it is.\n`);
    }
  }
  await linkKit(root);
  const there = relative(process.cwd(), root) || '.';
  process.stdout.write(`${written.map((name) => `wrote ${join(folder, name)}\n`).join('')}
Next:
  npx bulkhead functions dev ${there}          runs it here, with a server of its own
  npm test --prefix ${there}                   its unit test
  npx bulkhead functions deploy ${there} --environment development
`);
}

/** For editors and unit tests: the kit is no package of a registry yet, so it is that of this Bulkhead. Deploying needs no link. */
async function linkKit(root: string): Promise<void> {
  const kit = dirname(dirname(fileURLToPath(import.meta.resolve('@bulkhead/functions-kit'))));
  const link = join(root, 'node_modules', '@bulkhead', 'functions-kit');
  await mkdir(dirname(link), { recursive: true });
  await symlink(kit, link).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'EEXIST') throw thrown;
  });
}

function filesOf(app: string): Readonly<Record<string, string>> {
  return {
    'bulkhead.yml': `app: ${JSON.stringify(app)}
functions:
  - key: count
    handler: src/index.count
`,
    'src/index.ts': `import { context, storage } from '@bulkhead/functions-kit';

/** Counts its calls, for each customer apart. */
export async function count(payload: { by?: number } | null): Promise<{ seen: number }> {
  const seen = ((await storage.get<number>('seen')) ?? 0) + (payload?.by ?? 1);
  await storage.set('seen', seen);
  console.log(\`\${context().applicationId} has seen \${seen}\`);
  return { seen };
}
`,
    'src/index.test.ts': `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestHost } from '@bulkhead/functions-kit/testing';
import { count } from './index.ts';

test('counts its calls', async () => {
  const host = openTestHost();
  try {
    assert.deepEqual(await count(null), { seen: 1 });
    assert.deepEqual(await count({ by: 2 }), { seen: 3 });
  } finally {
    host.close();
  }
});
`,
    'package.json': `${JSON.stringify(
      {
        name: app.replaceAll('.', '-').toLowerCase(),
        private: true,
        type: 'module',
        engines: { node: '>=22.18.0' },
        scripts: { test: 'node --test' },
      },
      null,
      2,
    )}
`,
    'tsconfig.json': `${JSON.stringify(
      {
        compilerOptions: {
          target: 'es2023',
          module: 'nodenext',
          lib: ['es2023', 'dom', 'dom.iterable'],
          strict: true,
          noEmit: true,
          allowImportingTsExtensions: true,
          skipLibCheck: true,
        },
        include: ['src'],
        exclude: ['src/**/*.test.ts'],
      },
      null,
      2,
    )}
`,
    '.gitignore': 'node_modules/\n',
  };
}
