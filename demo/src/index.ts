export type { DemoApp, DemoFunctions } from './app/index.ts';
export { type DemoServices, type DemoServicesOptions, startDemoServices } from './services.ts';
export { type DemoSite, type DemoSiteOptions, startDemoSite } from './site/index.ts';
export { runTerminalDemo, type TerminalDemoOptions } from './terminal/index.ts';
