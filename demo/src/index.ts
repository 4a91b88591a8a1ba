export { type DemoServices, type DemoServicesOptions, startDemoServices } from './services.ts';
export { runTerminalDemo, type TerminalDemoOptions } from './terminal/index.ts';
