import type { RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import type { ExpressHandler } from '../src/adapter/express.ts';

/** Of Express, what the tests use; it brings no types of its own. */
export interface Express {
  (): Express & RequestListener;
  json(): ExpressHandler;
  urlencoded(options: { readonly extended: boolean }): ExpressHandler;
  Router(): Express;
  set(name: string, value: unknown): void;
  use(...handlers: (string | ExpressHandler | Express)[]): void;
  get(path: string, ...handlers: ExpressHandler[]): void;
  post(path: string, ...handlers: ExpressHandler[]): void;
}

export const requireUntyped = createRequire(import.meta.url);
export const express4 = (): Express => requireUntyped('express') as Express;
export const express5 = (): Express => requireUntyped('express5') as Express;
