import type { PageModule } from '@bulkhead/protocol';
import { signGet, standardParameters } from './frame-address.ts';
import { frameErrors } from './frame-errors.ts';
import type { OpenPage } from './open-page.ts';

/** A frame as the AP JavaScript is told of it. */
export interface Frame {
  readonly appKey: string;
  readonly moduleKey: string;
  readonly name: string | null;
  /** With the token, where the App wants one. */
  readonly url: string;
  readonly isDialog: boolean;
  /** Size and the like of a dialog, as the App wrote it. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a module is shown in, with a fresh token for its address. Throws `module.*`. */
export function frameOf(
  { install, session }: OpenPage,
  module: PageModule,
  { publicUrl, isDialog, now }: { publicUrl: string; isDialog: boolean; now: Date },
): Frame {
  if (URL.parse(install.baseUrl)?.origin === publicUrl) throw frameErrors('module.own_origin');
  const parameters: [string, string][] = [
    ...standardParameters(publicUrl, install, module.key),
    ...(isDialog
      ? ([
          ['dialog', '1'],
          ['simpleDialog', '1'],
        ] as [string, string][])
      : []),
  ];
  const signed = signGet(install, { url: module.url, viewer: session, parameters, now });
  if (signed === null) throw frameErrors('page.link_unknown', { detail: 'the address of the module cannot be used with this context' });
  return {
    appKey: install.appKey,
    moduleKey: module.key,
    name: module.name,
    url: signed.token === null ? signed.url : `${signed.url}&jwt=${signed.token}`,
    isDialog,
    options: module.options,
  };
}
