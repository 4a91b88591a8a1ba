export { type DemoSite, type DemoSiteOptions, startDemoSite } from './start-demo-site.ts';
