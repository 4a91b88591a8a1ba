export { deployFunctions, type DemoFunctions } from './deploy-functions.ts';
export { type DemoApp, startDemoApp } from './start-demo-app.ts';
