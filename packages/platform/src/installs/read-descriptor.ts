import { type Egress, httpErrors } from '@bulkhead/http';
import { type AppDescriptor, appDescriptor, unknownFields } from '@bulkhead/protocol';
import { installErrors } from './install-errors.ts';
import { isShallow } from './json-text.ts';
import { shownModuleWarnings } from './shown-modules.ts';
import { refusedWebhooks, webhookWarnings } from './webhook-modules.ts';

const DESCRIPTOR_BYTES_MAX = 256 * 1024;
const DESCRIPTOR_TIMEOUT_MS = 10_000;
const DEPTH_MAX = 32;

export interface ReadDescriptor {
  readonly descriptor: AppDescriptor;
  /** What has no effect here: names of root fields that no host knows, and sentences about webhooks. */
  readonly warnings: readonly string[];
}

/** Fetches a descriptor: one GET by egress, a redirect is followed and checked like the first address. Throws `egress.*`, `app.*`. */
export async function fetchDescriptor(egress: Egress, url: string): Promise<ReadDescriptor> {
  egress.checkUrl(url, 'descriptor', 'descriptor_url');
  const answer = await egress.fetch(url, {
    policy: 'descriptor',
    tenant: null,
    headers: { accept: 'application/json' },
    maxBytes: DESCRIPTOR_BYTES_MAX,
    timeoutMs: DESCRIPTOR_TIMEOUT_MS,
    redirects: 'follow-safe',
  });
  if (answer.status !== 200)
    throw installErrors('app.descriptor_not_json', { params: { answer: `HTTP ${answer.status}` }, field: 'descriptor_url' });
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer.body.toString('utf8'));
  } catch {
    throw installErrors('app.descriptor_not_json', { params: { answer: 'something that is not JSON' }, field: 'descriptor_url' });
  }
  return readDescriptor(egress, parsed);
}

/** Checks a descriptor, the address of the App included. Throws `app.descriptor_invalid` with the field at fault, `egress.*`. */
export function readDescriptor(egress: Egress, value: unknown): ReadDescriptor {
  if (!isShallow(value, DEPTH_MAX)) throw httpErrors('request.invalid', { params: { problem: 'The descriptor is nested too deeply.' } });
  if (JSON.stringify(value).length > DESCRIPTOR_BYTES_MAX)
    throw installErrors('app.descriptor_invalid', { params: { name: 'it', problem: `larger than ${DESCRIPTOR_BYTES_MAX} bytes` } });
  const read = appDescriptor.safeParse(value);
  if (!read.success) {
    const issue = read.error.issues[0]!;
    const name = issue.path.join('.');
    throw installErrors('app.descriptor_invalid', {
      params: { name: name === '' ? 'it' : `"${name}"`, problem: problemOf(issue) },
      field: ['descriptor', ...issue.path].join('.'),
    });
  }
  const webhooks = read.data.modules?.webhooks ?? [];
  for (const { path, problem } of refusedWebhooks(webhooks)) {
    const name = ['modules', 'webhooks', ...path].join('.');
    throw installErrors('app.descriptor_invalid', { params: { name: `"${name}"`, problem }, field: `descriptor.${name}` });
  }
  egress.checkUrl(read.data.baseUrl, 'descriptor', 'descriptor.baseUrl');
  return {
    descriptor: read.data,
    warnings: [...unknownFields(read.data), ...webhookWarnings(webhooks), ...shownModuleWarnings(read.data)],
  };
}

/** The validator's own words are for programmers; ours say the way out themselves. */
function problemOf(issue: {
  readonly code: string;
  readonly message: string;
  readonly expected?: unknown;
  readonly maximum?: unknown;
}): string {
  if (issue.code === 'invalid_type')
    return issue.message.endsWith('received undefined') ? 'missing; add it' : `not of type ${String(issue.expected)}`;
  if (issue.code === 'too_big' && issue.message.startsWith('Too big')) return `too long; ${String(issue.maximum)} is the most`;
  if (issue.code === 'too_small' && issue.message.startsWith('Too small')) return 'empty; give it a value';
  return issue.message;
}
