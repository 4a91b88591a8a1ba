import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';

/** One module another module asks for. `names` are the imported names: `default`, `*` for a whole module, or none for `import 'x'`. */
export interface ModuleImport {
  readonly specifier: string;
  readonly names: readonly string[];
  /** True when every name is a type, so nothing of it exists at run time. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface SourceFile {
  /** Relative to the root of the repository, with forward slashes. */
  readonly path: string;
  readonly imports: readonly ModuleImport[];
  readonly comments: readonly { readonly text: string; readonly line: number }[];
}

/** What a rule found: `path:line` and a sentence that says what to do instead. */
export interface Finding {
  readonly rule: 'floors' | 'slices' | 'faces' | 'doors' | 'suppressions';
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

const roots = ['packages', 'server', 'demo', 'tests', 'examples', 'bench', '.ci'];
const skipped = new Set(['node_modules', '.bulkhead', 'coverage', 'test-results', 'dist']);

/** Every TypeScript file below the folders that hold our code, sorted. */
export function listSourceFiles(root: string): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (skipped.has(entry.name)) continue;
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (/\.[cm]?tsx?$/.test(entry.name) && !/\.d\.[cm]?ts$/.test(entry.name)) found.push(path);
    }
  };
  const present = new Set(readdirSync(root));
  for (const folder of roots) if (present.has(folder)) walk(folder);
  return found.sort();
}

export function readSourceFile(root: string, path: string): SourceFile {
  return parseSourceFile(path, readFileSync(join(root, path), 'utf8'));
}

/**
 * Imports of every spelling: `import`, `import()`, `export … from`, `require('…')` and `import('…')` in a type.
 * A file that does not parse throws, so that a rule never passes because it could not read.
 */
export function parseSourceFile(path: string, text: string): SourceFile {
  const parsed = parseSync(path, text);
  if (parsed.errors.length > 0) throw new SyntaxError(`${path}: ${parsed.errors[0]?.message ?? 'does not parse'}`);
  const lineAt = lineIndex(text);
  const imports: ModuleImport[] = [];

  for (const statement of parsed.module.staticImports) {
    const isType = /^import\s+type\b/.test(text.slice(statement.start, statement.end));
    const names = statement.entries.map((entry) => importedName(entry.importName.kind, entry.importName.name));
    const typeOnly = isType || (statement.entries.length > 0 && statement.entries.every((entry) => entry.isType));
    const runtime = statement.entries.filter((entry) => !entry.isType);
    const kept = typeOnly ? names : runtime.map((entry) => importedName(entry.importName.kind, entry.importName.name));
    imports.push({ specifier: statement.moduleRequest.value, names: kept, typeOnly, line: lineAt(statement.start) });
  }
  for (const statement of parsed.module.staticExports) {
    for (const entry of statement.entries) {
      if (entry.moduleRequest === null || entry.moduleRequest === undefined) continue;
      const name = importedName(entry.importName.kind, entry.importName.name);
      imports.push({ specifier: entry.moduleRequest.value, names: [name], typeOnly: entry.isType, line: lineAt(entry.start) });
    }
  }
  new Visitor({
    ImportExpression(node) {
      const source = literal(node.source);
      if (source !== null) imports.push({ specifier: source, names: ['*'], typeOnly: false, line: lineAt(node.start) });
    },
    CallExpression(node) {
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'require') return;
      const source = literal(node.arguments[0]);
      if (source !== null) imports.push({ specifier: source, names: ['*'], typeOnly: false, line: lineAt(node.start) });
    },
    TSImportType(node) {
      const source = literal(node.source);
      if (source !== null) imports.push({ specifier: source, names: ['*'], typeOnly: true, line: lineAt(node.start) });
    },
  }).visit(parsed.program);

  const comments = parsed.comments.map((comment) => ({ text: comment.value.trim(), line: lineAt(comment.start) }));
  return { path, imports, comments };
}

/** Test files and the test tree may stand above every floor: they only look down. */
export function isTest(path: string): boolean {
  return /\.test\.tsx?$/.test(path) || /^packages\/[^/]+\/test\//.test(path) || path.startsWith('tests/') || path.startsWith('bench/');
}

function importedName(kind: string, name: string | null | undefined): string {
  if (kind === 'Name') return name ?? '*';
  return kind === 'Default' ? 'default' : '*';
}

function literal(node: unknown): string | null {
  if (typeof node !== 'object' || node === null || !('type' in node) || !('value' in node)) return null;
  return node.type === 'Literal' && typeof node.value === 'string' ? node.value : null;
}

function lineIndex(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let line = starts.length;
    while (line > 1 && (starts[line - 1] ?? 0) > offset) line -= 1;
    return line;
  };
}
