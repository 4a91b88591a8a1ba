// The page works without this: it only saves reloads and reads news out.
const news = document.getElementById('news');
const trouble = document.getElementById('trouble');

document.documentElement.classList.add('scripted');

function say(text) {
  news.textContent = '';
  // A change in the next frame is read out even where the text is the same as before.
  requestAnimationFrame(() => {
    news.textContent = text;
  });
}

function showTrouble(text) {
  trouble.textContent = text;
  trouble.hidden = text === '';
}

/** Takes over the new page's content; what was unfolded stays unfolded, and the focus stays where it was. */
function takeOver(text, focusId) {
  const next = new DOMParser().parseFromString(text, 'text/html');
  const main = next.querySelector('main');
  if (main === null) throw new Error('not the page');
  const open = [...document.querySelectorAll('details[open][id]')].map(({ id }) => id);
  document.querySelector('main').replaceWith(main);
  for (const id of open) document.getElementById(id)?.setAttribute('open', '');
  const button = document.getElementById(focusId);
  const target = button === null || button.disabled ? document.getElementById(focusId.replace(/-button$/, '-result')) : button;
  if (target !== null) {
    if (target !== button) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  }
  say(next.getElementById('news').dataset.news);
}

async function send(form, button) {
  const panel = form.closest('.panel') ?? document.querySelector('main');
  panel.setAttribute('aria-busy', 'true');
  button.classList.add('working');
  button.setAttribute('aria-disabled', 'true');
  showTrouble('');
  say('Working…');
  try {
    const response = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
    if (!response.ok) throw new Error(String(response.status));
    takeOver(await response.text(), button.id);
  } catch {
    showTrouble('The demo’s server does not answer. Is Bulkhead still running? Then load this page again.');
    panel.removeAttribute('aria-busy');
    button.classList.remove('working');
    button.removeAttribute('aria-disabled');
  }
}

/** Whether something was opened in a tab of its own, in which this page may have become old. */
let openedElsewhere = false;

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible' || !openedElsewhere) return;
  fetch('/')
    .then((response) => response.text())
    .then((text) => takeOver(text, document.activeElement?.id ?? ''))
    .catch(() => undefined);
});

document.addEventListener('submit', (event) => {
  const form = event.target;
  const button = event.submitter;
  if (button === null || button.getAttribute('aria-disabled') === 'true') {
    event.preventDefault();
  } else if ('leaves' in form.dataset) {
    if (form.target === '') button.classList.add('working');
    else openedElsewhere = true;
  } else {
    event.preventDefault();
    void send(form, button);
  }
});

// Back from the connect page by the browser's own button: the page may come from its memory, with the button still at work.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

document.addEventListener('copied', () => say('Copied'));

if (news.dataset.news !== '') say(news.dataset.news);
