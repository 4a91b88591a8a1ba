import { possessive } from '../company/index.ts';
import type { StepName } from './visit.ts';

export interface StepText {
  readonly title: string;
  /** For the row of steps. */
  readonly short: string;
  /** What happens, for somebody who sees it for the first time. */
  readonly lead: string;
  readonly button: (other: string) => string;
  readonly again: (other: string) => string;
  /** What must be there before. */
  readonly first: string;
}

export const stepTexts: Readonly<Record<StepName, StepText>> = {
  clone: {
    title: 'Clone',
    short: 'Clone',
    lead: 'A new customer signs up. One call copies the template into an Application of their own: a sealed compartment with its own API key.',
    button: () => 'Clone the template',
    again: () => 'Clone the template',
    first: '',
  },
  connect: {
    title: 'Connect',
    short: 'Connect',
    lead: 'Somebody at the customer connects an account. Paperboat’s server sends the request ahead, and the browser opens the connect page, which wears Paperboat’s name and the customer’s colour. Choose Harbour Files there, then the person who is named on the card. (A request for one service alone skips that choice.)',
    button: () => 'Connect an account',
    again: () => 'Connect again',
    first: 'Clone first.',
  },
  call: {
    title: 'Call',
    short: 'Call',
    lead: 'Paperboat calls the upstream API through Bulkhead, which adds the account’s credential and refreshes it when needed. Once by API key, once by Bearer token.',
    button: () => 'List what is there',
    again: () => 'List again',
    first: 'Connect first.',
  },
  exchange: {
    title: 'Exchange',
    short: 'Exchange',
    lead: 'The API key opens everything of a customer, so it stays on the server. For anybody else it is exchanged for a token with less: one account, one method, one path, ten minutes.',
    button: () => 'Exchange, then test the token',
    again: () => 'Exchange again',
    first: 'Connect first.',
  },
  wall: {
    title: 'Try the wall',
    short: 'Wall',
    lead: 'Now take one customer’s credentials to the other customer’s account. The answer must be the same as for an account that never existed.',
    button: (other) => `Try to open ${possessive(other)} account`,
    again: (other) => `Try ${possessive(other)} account again`,
    first: 'Connect both customers first.',
  },
  app: {
    title: 'Install an App',
    short: 'App',
    lead: 'An App is a program of somebody else that many customers use. This one, Issue notes, runs beside the demo and keeps notes on issues. It is installed into one Application at a time, and knows each by a key and a secret of its own. People see its panel in a frame of Bulkhead’s; Paperboat’s server asks for the link.',
    button: () => 'Install Issue notes',
    again: () => 'Install Issue notes',
    first: 'Clone first.',
  },
};
