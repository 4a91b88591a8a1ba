import { createInterface } from 'node:readline/promises';

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Whether the person at the terminal typed "yes". Anything else, Ctrl-C and the end of the input are a no. */
export async function confirm(question: string, terminal: Terminal): Promise<boolean> {
  const lines = createInterface(terminal);
  // A last line and the end of the input come together: the line counts.
  const closed = new Promise<string>((resolve) => void lines.once('close', () => setImmediate(resolve, '')));
  try {
    // Ctrl-C ends the question by an error.
    const answer = await Promise.race([lines.question(question).catch(() => ''), closed]);
    return answer.trim().toLowerCase() === 'yes';
  } finally {
    lines.close();
  }
}
