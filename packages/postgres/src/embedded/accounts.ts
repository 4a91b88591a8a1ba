import { readFile } from 'node:fs/promises';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The accounts in /etc/passwd; none where there is no such file. */
export async function listAccounts(): Promise<readonly Account[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length > 3)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}

/** What to call the account with this number in a sentence. */
export async function accountName(uid: number): Promise<string> {
  return (await listAccounts()).find((account) => account.uid === uid)?.name ?? `the account with the number ${uid}`;
}
