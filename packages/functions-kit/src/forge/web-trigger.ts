import { currentCall } from './invocation.ts';

/** Keys of web triggers are in small letters here, with - in the place of _. */
function webtriggerKey(moduleKey: string): string {
  return moduleKey.toLowerCase().replaceAll('_', '-');
}

export const webTrigger = {
  /** The address of a web trigger of the manifest, for this installation. It never changes. */
  getUrl: async (moduleKey: string, _forceCreate?: boolean): Promise<string> => {
    const { publicUrl, applicationId, appKey, environment } = currentCall();
    if (publicUrl === undefined) throw new Error('This host says no address of its own');
    const place = environment === 'production' ? '' : `@${environment}`;
    return `${publicUrl}/f/${applicationId}/${appKey}/${webtriggerKey(moduleKey)}${place}`;
  },
};
