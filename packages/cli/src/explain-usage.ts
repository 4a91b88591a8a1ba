import type { Command, CommanderError } from 'commander';

export interface Failure {
  /** For someone who has never seen the product; '' where all has been said. */
  readonly text: string;
  /** 1 failed, 2 asked for in the wrong way. */
  readonly exitCode: number;
}

/**
 * Help and version end as an "error" with exit code 0; what was typed wrongly is 2, as usual on the command line.
 * `typed` are the words after the program's name: the sentence ends at the help of the command they name.
 */
export function explainUsage(error: CommanderError, program: Command, typed: readonly string[]): Failure {
  if (error.exitCode === 0) return { text: '', exitCode: 0 };
  // A command group without its command has printed its help instead.
  if (error.code === 'commander.help') return { text: '', exitCode: 2 };
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const hint = rest.map((line) => line.replace(/^\((.*)\)$/, '$1')).join(' ');
  const sentence = `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/[.:]?$/, '.')}`;
  return {
    text: [sentence, hint, `Type "npx ${nameOf(program, typed)} --help" for what there is.`].filter((part) => part !== '').join(' '),
    exitCode: 2,
  };
}

/** `bulkhead meta-tokens create`: as far as the words are names of commands. */
function nameOf(command: Command, [word, ...rest]: readonly string[]): string {
  const named = command.commands.find((each) => each.name() === word);
  return named === undefined ? command.name() : `${command.name()} ${nameOf(named, rest)}`;
}
