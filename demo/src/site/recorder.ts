import { type BulkheadAnswer, type BulkheadClient, type BulkheadRequest, demoErrors, messageOf } from '../company/index.ts';

/** Sends requests and keeps the answers in order, to show them, also those before a failure. */
export class Recorder {
  readonly calls: BulkheadAnswer[] = [];
  readonly #client: BulkheadClient;

  constructor(client: BulkheadClient) {
    this.#client = client;
  }

  async ask(request: BulkheadRequest): Promise<BulkheadAnswer> {
    const answer = await this.#client.send(request);
    this.calls.push(answer);
    return answer;
  }

  /** @throws demo.unexpected_answer for another status. */
  async need(request: BulkheadRequest, status: number): Promise<BulkheadAnswer> {
    const answer = await this.ask(request);
    if (answer.status === status) return answer;
    const params = { step: `${request.method} ${request.path.split('?', 1)[0]}`, expected: status, status: answer.status, message: messageOf(answer) };
    throw demoErrors('demo.unexpected_answer', { params });
  }
}
