import { accounts, storage, variables } from '@bulkhead/functions-kit';

/** Called when an account was connected: counts its files by a call through the account, and keeps the number. */
export async function connected({ accountId }: { readonly accountId: number | null }): Promise<number | null> {
  return accountId === null ? null : count(accountId);
}

/** The web trigger: how many files there are in all accounts of the customer whose address was called. */
export async function counted() {
  let files = 0;
  let without = 0;
  const all = await accounts.list();
  for (const { id } of all) {
    const kept = await storage.get<{ files: number }>(keyOf(id));
    // Connected before the App was installed, or not asked yet.
    const found = kept?.files ?? (await count(id));
    if (found === null) without++;
    else files += found;
  }
  return {
    statusCode: 200,
    headers: { 'content-type': ['application/json'] },
    body: JSON.stringify({ accounts: all.length, files, accounts_without_files: without }),
  };
}

/** Null: the service of the account knows no files, or does not answer. */
async function count(accountId: number): Promise<number | null> {
  const answer = await accounts.account(accountId).fetch(variables['FILES_PATH'] ?? '/files');
  if (!answer.ok) {
    console.warn(`account ${accountId}: ${answer.status} instead of files`);
    return null;
  }
  const { files } = (await answer.json()) as { files?: readonly unknown[] };
  if (!Array.isArray(files)) return null;
  await storage.set(keyOf(accountId), { files: files.length });
  return files.length;
}

function keyOf(accountId: number): string {
  return `account-${accountId}`;
}
