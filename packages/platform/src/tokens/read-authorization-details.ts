import { type PassthroughDetail, passthroughDetails } from '@bulkhead/protocol';
import { tokenErrors } from './token-errors.ts';

/** RFC 9396 §5: a list (JSON body) or its JSON text (form). An unknown type or field is refused, not skipped: it might have been a limit. */
export function readAuthorizationDetails(value: unknown): PassthroughDetail[] {
  const result = passthroughDetails.safeParse(typeof value === 'string' ? parsedJson(value) : value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const at = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  throw tokenErrors('authorization_details.invalid', { params: { problem: `${at}${issue.message}` }, field: 'authorization_details' });
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw tokenErrors('authorization_details.invalid', { params: { problem: 'the text is not JSON' }, field: 'authorization_details' });
  }
}
