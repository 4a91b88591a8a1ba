import { demoPeople, type Person } from '../upstream/index.ts';

/** A customer of the company in this story: gets a compartment of their own. */
export interface Customer {
  readonly key: 'alder' | 'birch';
  readonly name: string;
  /** The end user who connects an account: their id at the company, and the person they are at Harbour Files. */
  readonly person: Person;
  /** Of their connect page. */
  readonly colour: string;
}

function firstOf(customer: string): Person {
  return demoPeople.find((person) => person.customer === customer)!;
}

export const alder: Customer = { key: 'alder', name: 'Alder Logistics', person: firstOf('Alder Logistics'), colour: '#0b6b82' };
export const birch: Customer = { key: 'birch', name: 'Birch Clinics', person: firstOf('Birch Clinics'), colour: '#7a4a12' };

/** The company whose product has both customers. */
export const COMPANY = 'Paperboat';

/** `Birch Clinics’s`, on the page and in the terminal. */
export function possessive(name: string): string {
  return `${name}’s`;
}
