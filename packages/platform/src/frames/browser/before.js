// Before connect-host.js: what it expects to find on a page of its own product. Nothing is sent anywhere and no flag is on.
(() => {
  // The version that the library was built with: another one makes it warn of two.
  const ofLibrary = '4.23.4';
  window.__FEATUREGATES_JS__ = { initializeCompleted: () => true, checkGate: () => false, getPackageVersion: () => ofLibrary };
  window.require = () => ({ emitGasV3: () => undefined });
  // Of jQuery it reads sizes and finds nothing: what is shown is built by host-page.js.
  const nothing = () => ({
    length: 0,
    width: () => window.innerWidth,
    height: () => window.innerHeight,
    find: nothing,
    css: nothing,
    addClass: nothing,
  });
  window.AJS = { $: nothing, LayerManager: { global: { getTopLayer: () => null } } };
})();
