// After connect-host.js: shows the frame of the page's configuration and answers its App. One page holds frames of one App only.
(() => {
  const config = JSON.parse(document.getElementById('config').textContent);
  const host = window.connectHost;
  const place = document.getElementById('place');
  const state = document.getElementById('state');
  const SANDBOX =
    'allow-downloads allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-same-origin allow-scripts allow-storage-access-by-user-activation allow-top-navigation-by-user-activation';
  const HEIGHT_MAX = 20_000;
  const SILENT_MS = 12_000;
  const EARLY_MS = 60_000;

  const alertOnce = (text) => {
    const shown = document.querySelector('main > [role=alert]') ?? document.createElement('p');
    shown.setAttribute('role', 'alert');
    shown.textContent = text;
    place.prepend(shown);
  };

  const ask = async (url, body) => {
    const answer = await window.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ session: config.session, ...body }),
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  // One token at a time, for as long as it is good; whoever asks meanwhile gets the same.
  let token = null;
  const contextToken = () => {
    if (token !== null && token.until > performance.now()) return token.value;
    const asked = { until: Number.POSITIVE_INFINITY, value: null };
    asked.value = ask(config.tokenUrl, {}).then(
      (answer) => {
        asked.until = performance.now() + Math.max(answer.expires_in * 1_000 - EARLY_MS, answer.expires_in * 500);
        return answer.token;
      },
      (error) => {
        token = null;
        if (['400', '403', '404'].includes(error.message)) alertOnce(config.texts.over);
        throw new Error('no token: the page has ended, or its host cannot be reached');
      },
    );
    token = asked;
    return asked.value;
  };

  const promising = (methods) => {
    for (const method of Object.values(methods)) method.returnsPromise = true;
    return methods;
  };
  host.defineModule('context', promising({ getToken: () => contextToken(), getContext: async () => config.context }));
  host.defineModule(
    'user',
    promising({
      getCurrentUser: async () => ({ atlassianAccountId: config.user }),
      getTimeZone: async () => Intl.DateTimeFormat().resolvedOptions().timeZone,
    }),
  );
  // Without a module's name they are AP's own: AP.getLocation, AP.sizeToParent. Whoever calls stands in the callback.
  host.defineModule({
    getLocation: (callback) => callback(location.origin + location.pathname),
    sizeToParent: (_hideFooter, callback) => whole(callback._context),
    hideFooter: (_hideFooter, _callback) => undefined,
  });
  host.registerProvider('get-location', () => location.origin + location.pathname);

  const pixels = (value, most) => {
    const number = Number.parseFloat(String(value));
    if (!Number.isFinite(number) || number < 0) return null;
    return String(value).trim().endsWith('%') ? `${Math.min(number, 100)}%` : `${Math.min(number, most)}px`;
  };
  const frameOf = (context) => document.getElementById(context.extension_id);
  const whole = (context) => {
    const frame = frameOf(context);
    if (frame === null || frame.closest('dialog') !== null) return;
    frame.classList.add('whole');
    frame.style.width = '100%';
    frame.style.height = '';
  };
  host.registerProvider('addon', {
    resize(width, height, context) {
      const frame = frameOf(context);
      if (frame === null || frame.closest('dialog') !== null || frame.classList.contains('whole')) return;
      frame.style.width = pixels(width, window.innerWidth) ?? frame.style.width;
      frame.style.maxWidth = '100%';
      const wanted = pixels(height, HEIGHT_MAX);
      // A share of a page that is as high as what is on it is no height.
      if (wanted !== null && !wanted.endsWith('%')) frame.style.height = wanted;
    },
    sizeToParent: (_hideFooter, context) => whole(context),
  });

  const create = (frame, options, into) => {
    const { iframeAttributes } = host.createExtension({
      addon_key: frame.appKey,
      key: frame.moduleKey,
      url: frame.url,
      // The page is the frame's parent, whatever holds the page.
      options: { ...options, isFullPage: !frame.isDialog, hostFrameOffset: 1, hostOrigin: location.origin, contextPath: '' },
    });
    const element = document.createElement('iframe');
    element.id = iframeAttributes.id;
    element.name = iframeAttributes.name;
    element.title = frame.name ?? frame.moduleKey;
    element.setAttribute('sandbox', SANDBOX);
    element.referrerPolicy = 'no-referrer';
    element.src = iframeAttributes.src;
    into.append(element);
    return element;
  };

  // Dialogs: the framework asks its provider for each; ours are the browser's own.
  let open = null;
  const dialogs = {
    create(options, extension) {
      dialogs.close();
      const dialog = document.createElement('dialog');
      dialog.className = ['small', 'medium', 'large', 'xlarge', 'fullscreen', 'maximum'].includes(options.size) ? options.size : '';
      if (options.width) dialog.style.width = pixels(options.width, window.innerWidth - 32) ?? '';
      if (options.height) dialog.style.height = pixels(options.height, window.innerHeight - 32) ?? '';
      const buttons = new Map();
      const row = document.createElement('div');
      row.className = 'buttons';
      const entry = { dialog, buttons, row, isEstablished: false };
      if (options.chrome) {
        const heading = document.createElement('h2');
        heading.textContent = String(options.header ?? '');
        heading.hidden = heading.textContent === '';
        dialog.append(heading);
        const hint = document.createElement('p');
        hint.className = 'hint';
        hint.textContent = String(options.hint ?? '');
        row.append(hint);
      }
      open = entry;
      if (options.chrome) for (const action of options.actions ?? []) dialogs.addButton(entry, action);
      dialog.addEventListener('cancel', (event) => {
        event.preventDefault();
        if (options.closeOnEscape !== false) dialogs.leave(entry);
      });
      dialog.addEventListener('close', () => {
        dialog.remove();
        if (open === entry) open = null;
        options.onHide?.();
      });
      document.body.append(dialog);
      dialog.showModal();
      ask(config.frameUrl, { module_key: String(extension.key) }).then(
        (frame) => {
          if (!dialog.isConnected) return;
          const shown = { appKey: config.frame.appKey, moduleKey: frame.module_key, name: frame.name, url: frame.url, isDialog: true };
          const told = {
            ...extension.options,
            isDialog: true,
            dialogId: options.id,
            preventDialogCloseOnEscape: options.closeOnEscape === false,
          };
          create(shown, told, dialog);
          if (options.chrome) dialog.append(row);
        },
        () => {
          dialog.close();
          alertOnce(config.texts.silent);
        },
      );
    },
    addButton(entry, { identifier, text, type, disabled, hidden, onClick }) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = String(text ?? identifier);
      button.disabled = disabled === true;
      button.hidden = hidden === true;
      if (type === 'primary') button.className = 'primary';
      button.addEventListener('click', () => {
        onClick?.();
        // The App's own half of the script closes it, where it runs.
        if (identifier === 'cancel') setTimeout(() => dialogs.leave(entry), entry.isEstablished ? 500 : 0);
      });
      entry.buttons.set(identifier, button);
      entry.row.append(button);
    },
    createButton: (options) => open !== null && dialogs.addButton(open, options),
    // By the App, which has been told; or by Escape in its frame, where it has not.
    close: (key) => (key?.keycode === undefined ? open?.dialog.close() : dialogs.leave(open)),
    leave(entry) {
      if (entry === null || !entry.dialog.isConnected) return;
      host.broadcastEvent('dialog.close', { addon_key: config.frame.appKey }, {});
      entry.dialog.close();
    },
    isActiveDialog: (appKey) => open !== null && appKey === config.frame.appKey,
    setButtonDisabled: (identifier, isDisabled) => dialogs.change(identifier, 'disabled', isDisabled),
    setButtonHidden: (identifier, isHidden) => dialogs.change(identifier, 'hidden', isHidden),
    isButtonDisabled: (identifier) => open?.buttons.get(identifier)?.disabled ?? true,
    isButtonHidden: (identifier) => open?.buttons.get(identifier)?.hidden ?? true,
    change(identifier, name, value) {
      const button = open?.buttons.get(identifier);
      if (button !== undefined) button[name] = value;
    },
    toggleButton: (identifier) => dialogs.change(identifier, 'disabled', !dialogs.isButtonDisabled(identifier)),
  };
  host.getFrameworkAdaptor().registerModule({
    getModuleRegistrationName: () => 'dialog',
    isEnabled: () => true,
    getProvider: () => dialogs,
  });

  const frame = create(config.frame, config.frame.options, place);
  const settled = () => {
    place.removeAttribute('aria-busy');
    state.remove();
  };
  const silent = setTimeout(() => {
    place.removeAttribute('aria-busy');
    state.textContent = config.texts.silent;
  }, SILENT_MS);
  host.onIframeEstablished(({ extension }) => {
    if (open !== null && extension.options.isDialog) open.isEstablished = true;
    clearTimeout(silent);
    settled();
  });
  // A page without the AP JavaScript is a page, too.
  frame.addEventListener('load', settled, { once: true });
})();
