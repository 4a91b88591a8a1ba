import type { ApplicationId } from '@bulkhead/base';
import { tenantBaseUrl } from '../installs/index.ts';

/** Where a page of an App is shown, as at every host of this protocol. */
export function pageAddress(
  publicUrl: string,
  { applicationId, appKey, moduleKey }: { applicationId: ApplicationId; appKey: string; moduleKey: string },
): string {
  return `${tenantBaseUrl(publicUrl, applicationId)}/plugins/servlet/ac/${encodeURIComponent(appKey)}/${encodeURIComponent(moduleKey)}`;
}
