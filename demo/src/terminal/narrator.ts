import { styleText } from 'node:util';
import { type BulkheadAnswer, type BulkheadClient, type BulkheadRequest, curlLine, demoErrors, messageOf } from '../company/index.ts';

type Format = Parameters<typeof styleText>[0];

/** What a step expects: a status, and perhaps more about the answer. */
export interface Expectation {
  readonly status: number | readonly number[];
  /** What the answer means, in plain words; shown after the status. */
  readonly tells: string | ((answer: BulkheadAnswer) => string);
  /** Null where the answer is as it should be, else what is wrong with it. */
  readonly wrong?: (answer: BulkheadAnswer) => string | null;
}

/** Tells the story line by line, and stops it at the first answer that is not the expected one. */
export class Narrator {
  readonly #client: BulkheadClient;
  readonly #out: (line: string) => void;
  readonly #colours: NodeJS.WritableStream;
  #steps = 0;

  /** `colours`: the stream the lines end on. Its kind (a terminal or not), NO_COLOR and FORCE_COLOR decide about colours. */
  constructor(client: BulkheadClient, out: (line: string) => void, colours: NodeJS.WritableStream) {
    this.#client = client;
    this.#out = out;
    this.#colours = colours;
  }

  #paint(format: Format, text: string): string {
    return styleText(format, text, { stream: this.#colours });
  }

  title(text: string): void {
    this.#out(this.#paint('bold', text));
  }

  chapter(text: string): void {
    this.#steps += 1;
    this.#out('');
    this.#out(this.#paint('bold', `${this.#steps}. ${text}`));
  }

  say(text: string): void {
    this.#out(`   ${text}`);
  }

  good(text: string): void {
    this.#out(`   ${this.#paint('green', '✓')} ${text}`);
  }

  bad(text: string): void {
    this.#out(`   ${this.#paint('red', '✗')} ${text}`);
  }

  /** Sends, shows the curl line and the outcome. @throws demo.unexpected_answer */
  async ask(request: BulkheadRequest, expected: Expectation): Promise<BulkheadAnswer> {
    this.#out(`   ${this.#paint('dim', `$ ${curlLine(this.#client.baseUrl, request)}`)}`);
    const answer = await this.#client.send(request);
    const statuses = [expected.status].flat();
    const wrong = statuses.includes(answer.status)
      ? (expected.wrong?.(answer) ?? null)
      : `expected ${statuses.join(' or ')}. ${messageOf(answer)}`;
    if (wrong === null) {
      this.good(`${answer.status}  ${typeof expected.tells === 'string' ? expected.tells : expected.tells(answer)}`);
      return answer;
    }
    this.bad(`${answer.status}  ${wrong}`);
    const params = {
      step: `${request.method} ${request.path}`,
      expected: statuses.join(' or '),
      status: answer.status,
      message: messageOf(answer),
    };
    throw demoErrors('demo.unexpected_answer', { params });
  }
}
