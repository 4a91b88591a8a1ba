// The page works without this: it only saves reloads.
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
