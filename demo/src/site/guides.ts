import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../../../docs/guides');

/** What is written in `docs/guides`, in the order of the demo's steps. The page leads to each as it stands there, in Markdown. */
export const guides: readonly { readonly path: string; readonly title: string }[] = [
  { path: '/guides/application-per-customer.md', title: 'An Application per customer' },
  { path: '/guides/connect-an-account.md', title: 'Connect an account' },
  { path: '/guides/pass-through.md', title: 'Pass-through' },
  { path: '/guides/exchange-a-token.md', title: 'Exchange a token' },
  { path: '/guides/install-an-app.md', title: 'Install an App' },
  { path: '/guides/show-app-pages.md', title: 'Show an App’s pages' },
  { path: '/guides/write-an-app.md', title: 'Write an App' },
  { path: '/guides/self-host.md', title: 'Host it yourself' },
];

/** The text of the guide at this path of the site; null for every other path. */
export async function guideAt(path: string): Promise<string | null> {
  const guide = guides.find((each) => each.path === path);
  return guide === undefined ? null : readFile(join(FOLDER, guide.path.slice('/guides/'.length)), 'utf8');
}
