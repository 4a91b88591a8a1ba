import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FileStore, StoredFile } from './file-store.ts';
import { readBody, sendJson } from './http-answers.ts';
import type { Person } from './people.ts';

const UPLOAD_BYTES_MAX = 10 * 1024 * 1024;

/** Who a bearer token speaks for, and what it may do. */
export interface Bearer {
  readonly person: Person;
  readonly scopes: ReadonlySet<string>;
}

function describe(file: StoredFile) {
  return { id: file.id, name: file.name, size: file.content.byteLength, mime_type: file.mimeType, modified: file.modified };
}

/** The token of `Authorization: Bearer …` (RFC 6750 §2.1). */
function bearerToken(request: IncomingMessage): string | null {
  return /^Bearer +([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}

async function upload(
  request: IncomingMessage,
  response: ServerResponse,
  files: FileStore,
  person: Person,
  query: URLSearchParams,
): Promise<void> {
  const body = await readBody(request, UPLOAD_BYTES_MAX);
  if (body === null)
    return sendJson(response, 413, { error: 'too_large', message: 'A file holds at most 10 MiB.' }, { connection: 'close' });
  const named = query.get('name') ?? request.headers['x-file-name'];
  const name = (typeof named === 'string' ? named : '').replace(/\p{C}/gu, '').trim().slice(0, 200) || 'Untitled';
  const mimeType = request.headers['content-type'] ?? 'application/octet-stream';
  const file = files.add(person, { name, mimeType, modified: new Date().toISOString(), content: body });
  if (file === null) return sendJson(response, 507, { error: 'full', message: 'There is no room for another file.' });
  return sendJson(response, 201, describe(file), { location: `/api/files/${file.id}` });
}

/**
 * The file API of Harbour Files: `GET /me`, `GET|POST /files`, `GET|DELETE /files/{id}`, `GET /files/{id}/content`.
 * `verify` asks the provider whom a token belongs to; every person sees their own files only.
 */
export function createFileApi(files: FileStore, verify: (token: string) => Promise<Bearer | null>) {
  return async (request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): Promise<void> => {
    const token = bearerToken(request);
    const bearer = token === null ? null : await verify(token);
    if (bearer === null) {
      const challenge = token === null ? 'Bearer realm="harbour"' : 'Bearer realm="harbour", error="invalid_token"';
      return sendJson(
        response,
        401,
        { error: 'invalid_token', message: 'The access token is missing, wrong or expired.' },
        { 'www-authenticate': challenge },
      );
    }
    const { person, scopes } = bearer;
    const method = request.method ?? 'GET';
    const needs = method === 'GET' || method === 'HEAD' ? 'files:read' : 'files:write';
    if (path === '/me' && method === 'GET')
      return sendJson(response, 200, { id: person.id, name: person.name, email: person.email, company: { name: person.customer } });
    if (!scopes.has(needs)) {
      return sendJson(
        response,
        403,
        { error: 'insufficient_scope', message: `This needs ${needs}.` },
        { 'www-authenticate': `Bearer realm="harbour", error="insufficient_scope", scope="${needs}"` },
      );
    }

    if (path === '/files' && method === 'GET') {
      const q = (query.get('q') ?? '').toLowerCase();
      const found = files.list(person).filter((file) => file.name.toLowerCase().includes(q));
      return sendJson(response, 200, { files: found.map(describe), count: found.length });
    }
    if (path === '/files' && method === 'POST') return upload(request, response, files, person, query);

    const [, id = '', part] = /^\/files\/([^/]{1,100})(\/content)?$/.exec(path) ?? [];
    const file = id === '' ? null : files.find(person, id);
    if (file === null) return sendJson(response, 404, { error: 'not_found', message: 'There is nothing here.' });
    if (part === '/content' && (method === 'GET' || method === 'HEAD')) {
      response.writeHead(200, {
        'content-type': file.mimeType,
        'content-length': file.content.byteLength,
        etag: `"${file.id}"`,
        'x-content-type-options': 'nosniff',
      });
      response.end(method === 'HEAD' ? undefined : file.content);
      return;
    }
    if (part === undefined && method === 'GET') return sendJson(response, 200, describe(file));
    if (part === undefined && method === 'DELETE') {
      files.remove(person, id);
      response.writeHead(204).end();
      return;
    }
    return sendJson(response, 405, { error: 'method_not_allowed', message: 'Not here.' }, { allow: 'GET, DELETE' });
  };
}
