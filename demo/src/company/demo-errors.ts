import { defineErrors } from '@bulkhead/base';

export const demoErrors = defineErrors({
  'demo.unexpected_answer': { status: 502, wire: 'bad_gateway', text: '{step}: expected {expected}, and {status} came back. {message}' },
  'demo.unreachable': { status: 502, wire: 'bad_gateway', text: 'Nothing answers at {url}. Is Bulkhead running? Start it with: npm start' },
  'demo.no_connection': { status: 502, wire: 'bad_gateway', text: 'Connecting did not end at the company: {problem}' },
  'demo.app_gone': {
    status: 409,
    wire: 'conflict',
    text: 'The App is not installed for {customer} any more. Start over, or install it again.',
  },
  'demo.too_early': { status: 409, wire: 'conflict', text: 'This step comes after another. First: {first}.' },
});
