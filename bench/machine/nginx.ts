import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Child, type Core } from './child.ts';
import { toolPath } from './tools.ts';

/** A port that was free a moment ago: nginx cannot be asked for any free one. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

export interface Nginx extends AsyncDisposable {
  readonly url: string;
  readonly address: string;
}

/** One nginx of one worker on its core; `locations` is what stands inside its `server` block. */
export async function startNginx(
  core: Core,
  folder: string,
  name: string,
  locations: string,
  upstreamAddress: string | null = null,
): Promise<Nginx> {
  const port = await freePort();
  const home = join(folder, name);
  await mkdir(home, { recursive: true });
  const upstream = upstreamAddress === null ? '' : `upstream up { server ${upstreamAddress}; keepalive 64; }`;
  await writeFile(
    join(home, 'nginx.conf'),
    `${process.getuid?.() === 0 ? 'user root;\n' : ''}worker_processes 1;
daemon off;
pid ${home}/nginx.pid;
error_log ${home}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 75s;
  default_type application/octet-stream;
  client_body_temp_path ${home}/body;
  proxy_temp_path ${home}/proxy;
  fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi;
  scgi_temp_path ${home}/scgi;
  ${upstream}
  server { listen 127.0.0.1:${port}; ${locations} }
}
`,
  );
  const url = `http://127.0.0.1:${port}`;
  const child = await Child.command(
    core,
    toolPath('nginx'),
    ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')],
    () =>
      fetch(url).then(
        async (answer) => (await answer.arrayBuffer()).byteLength >= 0,
        () => false,
      ),
  );
  return { url, address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}
