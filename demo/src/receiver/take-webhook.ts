import { PlatformError, verifyWebhook, type WebhookHeaders } from '@bulkhead/sdk';

/** What a call to the webhook says, or why it is refused. */
export function takeWebhook(secret: string, headers: WebhookHeaders, body: string) {
  try {
    // The webhook's `signing_secret`, and the body as it came, unparsed.
    return { status: 200, event: verifyWebhook({ secrets: [secret], headers, body }) };
  } catch (thrown) {
    if (!(thrown instanceof PlatformError)) throw thrown;
    return { status: thrown.status, refused: thrown.code };
  }
}
