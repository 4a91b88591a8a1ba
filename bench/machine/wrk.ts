import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { toolPath } from './tools.ts';

/** What is sent: the requests of the list in turn. */
export interface Load {
  readonly url: string;
  readonly requests: readonly {
    readonly method?: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  }[];
  readonly callers: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers above 399 and connections that broke. */
  readonly failures: number;
}

/** wrk asks for nothing but what is in the file; what it saw comes back as one line of JSON. */
const SCRIPT = `
local requests = {}
function init(args)
  for line in io.lines(args[1]) do
    local request = load("return " .. line)()
    requests[#requests + 1] = wrk.format(request.method, request.path, request.headers, request.body)
  end
end
local at = 0
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('\\nresult {"requests":%d,"us":%d,"p50":%d,"p99":%d,"failures":%d}\\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.status + e.connect + e.read + e.write + e.timeout))
end
`;

/** Runs wrk beside the server, on the core of the rest, with one thread. */
export class Wrk {
  readonly #folder: string;
  #count = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Writes the requests down once; each call of what it answers is one run. */
  async prepare(load: Load): Promise<() => Promise<LoadResult>> {
    const name = join(this.#folder, `load-${(this.#count += 1)}`);
    await writeFile(`${name}.lua`, SCRIPT);
    await writeFile(`${name}.requests`, load.requests.map(luaTable).join('\n'));
    const args = ['-t1', `-c${load.callers}`, `-d${load.seconds}s`, '--timeout', '10s', '-s', `${name}.lua`, load.url];
    return async () => {
      const child = spawn(toolPath('taskset'), ['-c', '1', toolPath('wrk'), ...args, '--', `${name}.requests`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      const line = /^result (.*)$/m.exec(said)?.[1];
      if (line === undefined) throw new Error(`wrk said: ${said}`);
      const result = JSON.parse(line) as Record<'requests' | 'us' | 'p50' | 'p99' | 'failures', number>;
      return {
        requests: result.requests,
        perSecond: result.requests / (result.us / 1e6),
        p50Ms: result.p50 / 1000,
        p99Ms: result.p99 / 1000,
        failures: result.failures,
      };
    };
  }
}

function luaTable({ method = 'GET', path, headers = {}, body }: Load['requests'][number]): string {
  const fields = Object.entries(headers).map(([name, value]) => `[${quoted(name)}]=${quoted(value)}`);
  return `{method=${quoted(method)},path=${quoted(path)},headers={${fields.join(',')}}${body === undefined ? '' : `,body=${quoted(body)}`}}`;
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"`;
}

/** Repeats a run until the server has answered so many requests that its code is compiled, or for a while where the machine is busy. */
export async function warmUp(run: () => Promise<LoadResult>, requests = 20_000): Promise<void> {
  const limit = performance.now() + 20_000;
  for (let answered = 0; answered < requests && performance.now() < limit; ) answered += (await run()).requests;
}
