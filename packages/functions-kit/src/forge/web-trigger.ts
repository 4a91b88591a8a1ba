import { webTrigger as hostWebTrigger } from '../index.ts';

/** Keys of web triggers are in small letters here, with - in the place of _. */
function webtriggerKey(moduleKey: string): string {
  return moduleKey.toLowerCase().replaceAll('_', '-');
}

export const webTrigger = {
  /** The address of a web trigger of the manifest, for this installation. It never changes. */
  getUrl: (moduleKey: string, _forceCreate?: boolean): Promise<string> => hostWebTrigger.url(webtriggerKey(moduleKey)),
};
