export { runTerminalDemo, type TerminalDemoOptions } from './run-terminal-demo.ts';
