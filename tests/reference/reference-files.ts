import { appKitPage, kitRefusals } from './app-kit-page.ts';
import { configPage } from './config-page.ts';
import { allErrors, errorPage } from './error-page.ts';
import { eventsPage } from './events-page.ts';
import { openApiFile } from './openapi-file.ts';

/** The generated files of `docs/reference`, by name. */
export async function referenceFiles(root: string): Promise<Readonly<Record<string, string>>> {
  return {
    'app-kit.md': appKitPage(kitRefusals()),
    'errors.md': errorPage(await allErrors(root)),
    'config.md': configPage(),
    'events.md': eventsPage(),
    'openapi.json': await openApiFile(),
  };
}
