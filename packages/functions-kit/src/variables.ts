import { host } from './host.ts';

/**
 * The variables that the manifest declares, as they are set for this install or its environment, or by default; the same as `process.env`. One
 * that is not set and has no default is undefined.
 */
export const variables: Readonly<Record<string, string | undefined>> = new Proxy<Record<string, string | undefined>>(
  {},
  {
    get: (_, name) => (typeof name === 'string' && Object.hasOwn(host().variables, name) ? host().variables[name] : undefined),
    has: (_, name) => Object.hasOwn(host().variables, name),
    ownKeys: () => Object.keys(host().variables),
    getOwnPropertyDescriptor: (_, name) =>
      typeof name === 'string' && Object.hasOwn(host().variables, name)
        ? { value: host().variables[name], enumerable: true, configurable: true }
        : undefined,
    set: () => false,
    deleteProperty: () => false,
    defineProperty: () => false,
  },
);
