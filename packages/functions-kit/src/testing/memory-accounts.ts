import type { Account } from '../accounts.ts';

export interface TestAccounts {
  readonly accounts?: readonly Account[];
  /** What the service of an account answers; `request.url` is `https://account.test` and the path that was asked for. Absent: 404. */
  readonly callAccount?: (accountId: number, request: Request) => Response | Promise<Response>;
}

const LIST = /^\/accounts(?:\?(.*))?$/;
const CALL = /^\/accounts\/(\d+)\/proxy(\/.*)$/;
const PAGE = 100;

/** Answers what `accounts` and `webTrigger` ask of the host at a path; null where it is none of theirs. */
export async function accountService(options: TestAccounts, place: string, request: Request): Promise<Response | null> {
  const listed = LIST.exec(place);
  if (listed !== null) {
    const query = new URLSearchParams(listed[1] ?? '');
    const service = query.get('service');
    const found = (options.accounts ?? []).filter((account) => service === null || account.service === service);
    const from = (Number(query.get('page') ?? 1) - 1) * PAGE;
    return Response.json({ total: found.length, accounts: found.slice(from, from + PAGE) });
  }
  const called = CALL.exec(place);
  if (called !== null) {
    const id = Number(called[1]);
    const isThere = (options.accounts ?? []).some((account) => account.id === id);
    if (!isThere || options.callAccount === undefined) return Response.json({ code: 'not_found', message: 'not found' }, { status: 404 });
    return options.callAccount(id, new Request(`https://account.test${called[2]}`, request));
  }
  const trigger = /^\/webtriggers\/(.+)$/.exec(place);
  return trigger === null ? null : Response.json({ url: `https://bulkhead.test/f/application/app/${trigger[1]}` });
}
