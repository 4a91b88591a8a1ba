import { createHmac, timingSafeEqual } from 'node:crypto';
import { stdin, stdout } from 'node:process';
import { createInterface } from 'node:readline';

function same(expected, given) {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Standard Webhooks. `secrets`: each `whsec_…` that is live. `headers`: with lower-case names. `body`: as it came, unparsed. */
export function isGenuineStandard(secrets, headers, body, now = Date.now() / 1000) {
  const [id, timestamp, signatures] = [headers['webhook-id'], headers['webhook-timestamp'], headers['webhook-signature']];
  if (!id || !/^\d{1,12}$/.test(timestamp ?? '') || !signatures) return false;
  if (Math.abs(now - Number(timestamp)) > 300) return false;
  return secrets.some((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    const expected = `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
    return signatures.split(' ').some((signature) => same(expected, signature));
  });
}

/** Kloudless's format. `secrets`: each `bhs_…` that is live. */
export function isGenuineKloudless(secrets, headers, body) {
  const signature = headers['x-kloudless-signature'] ?? '';
  return secrets.some((secret) => same(createHmac('sha256', secret).update(body).digest('base64'), signature));
}

// As a program, to try it: {"format", "secrets", "headers", "body"}, one a line, on standard input.
for await (const line of createInterface({ input: stdin })) {
  const { format, secrets, headers, body } = JSON.parse(line);
  const isGenuine = format === 'kloudless' ? isGenuineKloudless : isGenuineStandard;
  stdout.write(isGenuine(secrets, headers, body) ? 'genuine\n' : 'forged\n');
}
