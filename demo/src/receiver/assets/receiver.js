// The page works without this: it only saves reloads and copies text.
const list = document.getElementById('arrivals');
const live = document.getElementById('live');

document.documentElement.classList.add('scripted');

const stream = new EventSource(`/stream?after=${list.dataset.last}`);
stream.addEventListener('open', () => {
  live.textContent = 'Live';
  live.classList.add('on');
});
stream.addEventListener('error', () => {
  live.textContent = 'Not connected; trying again';
  live.classList.remove('on');
});
// The server has escaped what is in it.
stream.addEventListener('arrival', (event) => {
  const next = new DOMParser().parseFromString(JSON.parse(event.data), 'text/html').querySelector('li');
  if (next !== null && document.getElementById(next.id) === null) list.prepend(next);
});

document.addEventListener('submit', (event) => {
  event.preventDefault();
  void fetch(event.target.action, { method: 'POST' });
});

async function copy(button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Press Ctrl+C';
    getSelection().selectAllChildren(document.getElementById(button.dataset.select));
  }
  setTimeout(() => {
    button.textContent = label;
  }, 1600);
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copy]');
  if (button !== null) void copy(button);
});
