import { type AppDescriptor, type PageModule, pageModules, unknownConditions } from '@bulkhead/protocol';
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

const WARNINGS_MAX = 20;

/** Modules that are never shown here, whoever asks, and why, in sentences. At most 20. */
export function shownModuleWarnings({ modules, baseUrl }: AppDescriptor): string[] {
  return pageModules(modules, baseUrl)
    .flatMap(({ type, key, condition }) => {
      const [name] = unknownConditions(condition);
      return name === undefined
        ? []
        : [`modules.${type} "${key}": this host has no condition ${JSON.stringify(name)}, so what depends on it is never shown.`];
    })
    .slice(0, WARNINGS_MAX);
}
