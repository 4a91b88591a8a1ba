export { bulkheadClient, type BulkheadClient, type Fetch, messageOf, textAt, valueAt } from './bulkhead-client.ts';
export { curlLine, curlLines } from './curl-line.ts';
export { alder, birch, COMPANY, type Customer, possessive } from './customer.ts';
export { demoErrors } from './demo-errors.ts';
export { type HeldCredential, heldCredential, shortened } from './held-credential.ts';
export { apiKey, bearer, type BulkheadAnswer, type BulkheadRequest } from './request.ts';
