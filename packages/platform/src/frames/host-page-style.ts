import { Html } from '../authorization/index.ts';

/** Beside the colours: the head line, the frame, which is as high as its App asks, and dialogs. */
export const HOST_PAGE_STYLE = new Html(`
*,*::before,*::after{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;background:var(--page);color:var(--text);font:400 1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans",sans-serif;overflow-wrap:break-word}
header{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem 1rem;padding:.75rem 1.5rem;background:var(--card);border-bottom:1px solid var(--line)}
.where{display:flex;align-items:center;gap:.625rem;min-width:0;color:var(--muted);font-weight:550}
.mark{flex:none;width:2rem;height:2rem;border-radius:.5rem;object-fit:contain}
span.mark{display:grid;place-items:center;background:var(--primary);color:var(--primary-text);font-size:.8125rem;font-weight:600;letter-spacing:.02em}
h1{margin:0;min-width:0;font-size:1.125rem;line-height:1.35;font-weight:650}
.by{margin:0 0 0 auto;color:var(--muted);font-size:.875rem}
main{flex:1;display:flex;flex-direction:column;min-width:0}
/* Within a page of the company's own it has that page's ground. */
.embedded{background:transparent}
.alone main{width:100%;max-width:80rem;margin:0 auto;padding:1.5rem}
iframe{display:block;width:100%;border:0;background:transparent}
main>iframe{min-height:10rem}
.alone main>iframe{background:var(--card);border:1px solid var(--line);border-radius:.75rem}
main>iframe.whole{flex:1}
[role=status]{margin:0;padding:1rem 1.25rem;color:var(--muted)}
.alone main>[role=status],.alone noscript p{padding:2.5rem 1.25rem;text-align:center}
[role=alert]{margin:0 0 1rem;padding:.75rem .875rem;background:var(--danger-soft);border-radius:.625rem;color:var(--danger);font-size:.9375rem}
dialog{width:min(38rem,calc(100vw - 2rem));max-width:none;max-height:calc(100dvh - 2rem);padding:0;background:var(--card);color:var(--text);border:1px solid var(--line);border-radius:.875rem;box-shadow:0 12px 40px rgb(15 18 25/.25);overflow:hidden}
dialog:focus-visible{outline:none}
dialog[open]{display:flex;flex-direction:column}
dialog::backdrop{background:rgb(10 12 18/.55)}
dialog.small{width:min(25rem,calc(100vw - 2rem))}
dialog.large{width:min(50rem,calc(100vw - 2rem))}
dialog.xlarge{width:min(61rem,calc(100vw - 2rem))}
dialog.fullscreen,dialog.maximum{width:calc(100vw - 2rem);height:calc(100dvh - 2rem)}
dialog h2{margin:0;padding:1rem 1.25rem;font-size:1.0625rem;line-height:1.35;border-bottom:1px solid var(--line)}
dialog>iframe{flex:1 1 auto;min-height:12rem;height:18rem}
dialog .buttons{display:flex;flex-wrap:wrap;align-items:center;justify-content:flex-end;gap:.5rem;padding:.75rem 1.25rem;border-top:1px solid var(--line)}
dialog .hint{margin:0 auto 0 0;color:var(--muted);font-size:.875rem}
button{min-height:2.5rem;padding:.375rem 1rem;font:inherit;font-weight:550;color:var(--accent);background:none;border:1px solid var(--line);border-radius:.5rem;cursor:pointer}
button.primary{background:var(--primary);color:var(--primary-text);border-color:transparent}
button:disabled{opacity:.55;cursor:default}
[hidden]{display:none!important}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
@media (max-width:40rem){header{padding:.625rem 1rem}.by{flex-basis:100%;margin:0}.alone main{padding:0}.alone main>iframe{border-width:0 0 1px;border-radius:0}dialog .hint{flex-basis:100%}}
`);
