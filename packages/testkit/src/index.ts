export { approveFunctions } from './approve-functions.ts';
export { alteredEnd } from './altered-end.ts';
export { browserHere, launchBrowser } from './browser.ts';
export { testCluster, testDatabase, type TestDatabase } from './database.ts';
export { FaultProxy, type FaultProxyOptions, type Flows, HELD, type ProxiedConnection } from './fault-proxy.ts';
export { type AppAnswer, appToken, type FakeApp, type LifecycleCall, startFakeApp } from './fake-app.ts';
export { FakeRunner } from './fake-runner.ts';
export { type FakeUpstream, startFakeUpstream, type UpstreamRequest } from './fake-upstream.ts';
export { formWith, HttpBrowser, type Visit } from './http-browser.ts';
export {
  authorized,
  connectAccount,
  createTwins,
  type ConnectingTenant,
  type GrantedTokens,
  type Name,
  type Names,
  neverExisted,
  openFlow,
  pkcePair,
  pushed,
  redeemed,
  type Twin,
  type TwinApp,
  type Twins,
} from './twins.ts';
export { type HttpAnswer, World, type WorldOptions } from './world.ts';
