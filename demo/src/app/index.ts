export { type DemoApp, startDemoApp } from './start-demo-app.ts';
