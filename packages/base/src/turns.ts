/** Lines of several parties, of which each in turn gives up its first. */
export class Turns<Item> {
  /** In the order in which it is their turn. */
  readonly #lines = new Map<string, Item[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many parties have something in it. */
  get parties(): number {
    return this.#lines.size;
  }

  lengthOf(party: string): number {
    return this.#lines.get(party)?.length ?? 0;
  }

  push(party: string, item: Item): void {
    const line = this.#lines.get(party);
    if (line === undefined) this.#lines.set(party, [item]);
    else line.push(item);
    this.#size++;
  }

  /** The first of the party whose turn it is; its next one waits until all others have had a turn. */
  next(): Item | undefined {
    const [first] = this.#lines;
    if (first === undefined) return undefined;
    const [party, line] = first;
    const item = line.shift();
    this.#lines.delete(party);
    if (line.length > 0) this.#lines.set(party, line);
    this.#size--;
    return item;
  }

  /** Those at the head of each line for which it holds. */
  takeWhile(holds: (item: Item) => boolean): Item[] {
    const taken: Item[] = [];
    for (const [party, line] of this.#lines) {
      let count = 0;
      while (count < line.length && holds(line[count]!)) count++;
      taken.push(...line.splice(0, count));
      if (line.length === 0) this.#lines.delete(party);
    }
    this.#size -= taken.length;
    return taken;
  }
}
