/** Who acts on the command line, as the audit log keeps it. */
export const OPERATOR = { kind: 'operator' } as const;

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
