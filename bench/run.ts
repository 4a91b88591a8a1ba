import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { figure } from './alternate.ts';
import { Lab } from './lab.ts';
import { installHint, missingTools } from './machine/tools.ts';
import { passes, type Result, type Row } from './row.ts';
import { rows } from './rows.ts';
import { renderJson, renderTable } from './table.ts';

const HELP = `npm run bench -- [options]

Measures Bulkhead beside a yardstick, in turns, on this machine; prints one table. Exit code 1 if a row misses its figure.

  --only NAME     one row, or all that begin with NAME; may be repeated
  --list          names the rows and ends
  --json FILE     writes {"rows":[{id, what, value, unit, yardstick, reach, pass, samples}]} as well
  --rounds N      alternations of each row (default 5)
  --seconds N     length of one run of load (default 3)
  --scale X       size of the large databases, as a share of what the figure asks for (default 1)
  --help          this

Needs Linux, wrk and nginx (apt-get install --no-install-recommends wrk nginx-light). See docs/performance.md.`;

function chosen(names: readonly string[]): Row[] {
  const found =
    names.length === 0 ? [...rows] : rows.filter((row) => names.some((name) => row.id === name || row.id.startsWith(`${name}-`)));
  if (found.length === 0) throw new RangeError(`no row is called ${names.join(' or ')}: ${rows.map((row) => row.id).join(', ')}`);
  return found;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`--${name} takes a number above 0, not ${text}`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
      json: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const wanted = chosen(values.only);
  if (values.list) {
    for (const row of wanted) console.log(`${row.id.padEnd(14)}${row.what}`);
    return 0;
  }
  const missing = missingTools(wanted.flatMap((row) => row.needs));
  if (missing.length > 0) {
    console.error(installHint(missing));
    return 2;
  }
  await using lab = await Lab.open({
    rounds: positive('rounds', values.rounds),
    seconds: positive('seconds', values.seconds),
    scale: positive('scale', values.scale),
    say: (text) => console.error(text),
  });
  const results: Result[] = [];
  for (const row of wanted) {
    const startedAt = performance.now();
    lab.say(`${row.id}: ${row.what} …`);
    const result = { row, measured: await row.measure(lab) };
    results.push(result);
    lab.say(
      `  ${figure(result.measured.value)} (${passes(result) ? 'pass' : 'MISS'}), ${figure((performance.now() - startedAt) / 1000)} s`,
    );
    if (values.json !== undefined) await writeFile(values.json, renderJson(results));
  }
  console.log(`\n${machine()}\n\n${renderTable(results)}`);
  return results.every(passes) ? 0 : 1;
}

/** In generic words: what a reader needs to judge the figures by. */
function machine(): string {
  const [first] = cpus();
  return `${cpus().length} cores (${first?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`;
}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof RangeError)) throw error;
  console.error(error.message);
  return 2;
});
