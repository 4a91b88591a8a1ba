import { type BulkheadAnswer, type BulkheadClient, type BulkheadRequest, demoErrors, messageOf } from '../company/index.ts';

/** One request with its answer, and what it is there for. */
export interface RecordedCall {
  readonly note: string;
  readonly answer: BulkheadAnswer;
}

/** Sends requests and keeps the answers in order, to show them, also those before a failure. */
export class Recorder {
  readonly calls: RecordedCall[] = [];
  readonly #client: BulkheadClient;

  constructor(client: BulkheadClient) {
    this.#client = client;
  }

  async ask(note: string, request: BulkheadRequest): Promise<BulkheadAnswer> {
    const answer = await this.#client.send(request);
    this.calls.push({ note, answer });
    return answer;
  }

  /** @throws demo.unexpected_answer for another status. */
  async need(note: string, request: BulkheadRequest, status: number): Promise<BulkheadAnswer> {
    const answer = await this.ask(note, request);
    this.expect(answer, status);
    return answer;
  }

  /** @throws demo.unexpected_answer */
  expect(answer: BulkheadAnswer, status: number): void {
    if (answer.status === status) return;
    const { request } = answer;
    const params = {
      step: `${request.method} ${request.path.split('?', 1)[0]}`,
      expected: status,
      status: answer.status,
      message: messageOf(answer),
    };
    throw demoErrors('demo.unexpected_answer', { params });
  }
}
