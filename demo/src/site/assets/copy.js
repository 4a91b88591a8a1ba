// Buttons that copy what their `data-copy` says; where that is not allowed, the text that `data-select` names is selected instead.
async function copy(button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = 'Copied';
    document.dispatchEvent(new CustomEvent('copied'));
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
