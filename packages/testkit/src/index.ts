export { launchBrowser } from './browser.ts';
export { testDatabase, type TestDatabase } from './database.ts';
export { type HttpAnswer, World, type WorldOptions } from './world.ts';
