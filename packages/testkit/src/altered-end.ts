/** The credential with another last character, whatever it was: an invented one that looks right. */
export function alteredEnd(credential: string): string {
  return `${credential.slice(0, -1)}${credential.endsWith('A') ? 'B' : 'A'}`;
}
