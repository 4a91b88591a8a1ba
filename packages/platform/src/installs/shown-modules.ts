import { type PageModule, pageModules } from '@bulkhead/protocol';
import type { AppInstall } from './app.ts';

/** The modules of an install that a host shows: those of the descriptor it was accepted with, and those that the App has added. */
export function shownModules({
  baseUrl,
  descriptor,
  dynamicModules,
}: Pick<AppInstall, 'baseUrl' | 'descriptor' | 'dynamicModules'>): PageModule[] {
  if (baseUrl === null || descriptor === null) return [];
  return [...pageModules(descriptor.modules, baseUrl), ...pageModules(dynamicModules, baseUrl)];
}
