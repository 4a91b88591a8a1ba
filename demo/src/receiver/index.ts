export { type Receiver, startReceiver } from './start-receiver.ts';
