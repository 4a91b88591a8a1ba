/** Someone who signs in at Harbour Files. `customer` is the company they work for: the demo's two tenants. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly customer: string;
}

/** Two customers, two people each. */
export const demoPeople: readonly Person[] = [
  { id: 'ada', name: 'Ada Alder', email: 'ada@alder.example', customer: 'Alder Logistics' },
  { id: 'arno', name: 'Arno Alder', email: 'arno@alder.example', customer: 'Alder Logistics' },
  { id: 'bea', name: 'Bea Birch', email: 'bea@birch.example', customer: 'Birch Clinics' },
  { id: 'ben', name: 'Ben Birch', email: 'ben@birch.example', customer: 'Birch Clinics' },
];

/** The people of the provider; whoever types another name becomes one of them. */
export class People {
  readonly #byId: Map<string, Person>;

  constructor(people: readonly Person[]) {
    this.#byId = new Map(people.map((person) => [person.id, person]));
  }

  list(): readonly Person[] {
    return [...this.#byId.values()];
  }

  find(id: string): Person | null {
    return this.#byId.get(id) ?? null;
  }

  /** The person of this id or name, made up if nobody has it. Null for a name without a letter or digit. */
  findOrInvite(typed: string): Person | null {
    const name = typed.normalize('NFC').replace(/\p{C}/gu, '').trim().slice(0, 60);
    const known = this.find(name) ?? this.list().find((person) => person.name.toLowerCase() === name.toLowerCase());
    if (known) return known;
    const id = name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '');
    if (id === '') return null;
    const person = this.find(id) ?? { id, name, email: `${id}@guest.example`, customer: 'Guests' };
    this.#byId.set(id, person);
    return person;
  }
}
