/** Number of tile colours in the style sheet. */
export const TILE_COLOURS = 8;

/** One or two letters that stand for a name: `Harbour Files` → `HF`, `Dropbox` → `D`. */
export function initialsOf(name: string): string {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  const letters = words.slice(0, 2).map((word) => [...word][0]!);
  return letters.join('').toUpperCase() || '·';
}

/** The same name always has the same tile colour. */
export function tileOf(name: string): number {
  return [...name].reduce((sum, character) => (sum * 31 + character.codePointAt(0)!) % 65_521, 7) % TILE_COLOURS;
}
