import type { Person } from './people.ts';

export interface StoredFile {
  readonly id: string;
  readonly name: string;
  readonly mimeType: string;
  readonly modified: string;
  readonly content: Buffer;
}

const FILES_PER_PERSON_MAX = 500;

function seed(person: Person): StoredFile[] {
  const file = (name: string, mimeType: string, text: string, day: number): StoredFile => ({
    id: `${person.id}-${day}`,
    name,
    mimeType,
    modified: new Date(Date.UTC(2026, 9, day, 9)).toISOString(),
    content: Buffer.from(text),
  });
  return [
    file('Welcome.md', 'text/markdown; charset=utf-8', `# Welcome, ${person.name}\n\nThese are your files at Harbour Files.\n`, 1),
    file(
      `${person.customer} – budget.csv`,
      'text/csv; charset=utf-8',
      `month,amount\nJanuary,${1000 + person.name.length}\nFebruary,${900 + person.name.length}\n`,
      2,
    ),
    file('Private note.txt', 'text/plain; charset=utf-8', `Only ${person.name} may read this.\n`, 3),
    // So that two customers have different numbers of files.
    ...(person.customer === 'Birch Clinics'
      ? [file('Opening hours.txt', 'text/plain; charset=utf-8', 'Monday to Friday, 8 to 17.\n', 4)]
      : []),
  ];
}

/** Each person's files, in memory, seeded when they are first looked at. Nobody sees another's. */
export class FileStore {
  readonly #files = new Map<string, Map<string, StoredFile>>();
  #next = 1;

  #of(person: Person): Map<string, StoredFile> {
    let files = this.#files.get(person.id);
    if (!files) {
      files = new Map(seed(person).map((file) => [file.id, file]));
      this.#files.set(person.id, files);
    }
    return files;
  }

  list(person: Person): readonly StoredFile[] {
    return [...this.#of(person).values()];
  }

  find(person: Person, id: string): StoredFile | null {
    return this.#of(person).get(id) ?? null;
  }

  /** Null when the person holds too many already. */
  add(person: Person, file: Omit<StoredFile, 'id'>): StoredFile | null {
    const files = this.#of(person);
    if (files.size >= FILES_PER_PERSON_MAX) return null;
    const stored = { ...file, id: `${person.id}-new-${this.#next++}` };
    files.set(stored.id, stored);
    return stored;
  }

  remove(person: Person, id: string): boolean {
    return this.#of(person).delete(id);
  }
}
