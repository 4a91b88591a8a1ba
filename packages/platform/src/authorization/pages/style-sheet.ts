import { Html } from './html.ts';
import { mix, type Palette, type Theme } from './theme.ts';

function variables(palette: Palette): string {
  return `--page:${palette.page};--page-text:${palette.pageText};--card:${palette.card};--text:${palette.text};--muted:${palette.muted};--line:${palette.line};--hover:${palette.hover};--primary:${palette.primary};--primary-text:${palette.primaryText};--accent:${palette.accent};--danger:${palette.danger};--danger-soft:${palette.dangerSoft}`;
}

/** Text and fill of the service tiles in the light; each pair has a contrast of at least 4.5 to 1. */
export const TILES: readonly (readonly [text: string, fill: string])[] = [
  ['#1d4ed8', '#e3ebfe'],
  ['#0f766e', '#dcf5f1'],
  ['#9a3412', '#fdebdd'],
  ['#7e22ce', '#f2e7fd'],
  ['#166534', '#e0f5e6'],
  ['#9d174d', '#fce6f0'],
  ['#155e75', '#ddf3f9'],
  ['#854d0e', '#faf0d3'],
];

/** The same hues in the dark: a deep fill under the pale one as text. */
export function darkTile([text, fill]: readonly [text: string, fill: string]): readonly [text: string, fill: string] {
  return [fill, mix(text, '#181b21', 0.45)];
}

function tileRules(tiles: readonly (readonly [text: string, fill: string])[]): string {
  return tiles.map(([text, fill], index) => `.tile-${index}{background:${fill};color:${text}}`).join('');
}

const RULES = `
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;align-items:center;justify-content:center;gap:1.25rem;padding:2rem 1rem;background:var(--page);color:var(--text);font:400 1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans",sans-serif}
main{width:100%;max-width:27rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:1rem;box-shadow:0 1px 2px rgb(15 18 25/.05),0 12px 32px rgb(15 18 25/.08);overflow-wrap:break-word}
.brand{display:flex;align-items:center;gap:.75rem;margin:0 0 1.5rem;font-weight:600}
.brand span:last-child{min-width:0}
.mark{flex:none;width:2.5rem;height:2.5rem;border-radius:.625rem;object-fit:contain}
span.mark{display:grid;place-items:center;background:var(--primary);color:var(--primary-text);font-size:.9375rem;letter-spacing:.02em}
h1{margin:0 0 .5rem;font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.01em;text-wrap:balance}
p{margin:0 0 1rem}
.lead{margin-bottom:1.5rem;color:var(--muted)}
.hint{display:flex;gap:.625rem;margin:1.25rem 0 0;color:var(--muted);font-size:.875rem}
.hint svg{flex:none;width:1.125rem;height:1.125rem;margin-top:.125rem}
svg{fill:none;stroke:currentColor;stroke-width:1.75;stroke-linecap:round;stroke-linejoin:round}
ul{list-style:none;margin:0;padding:0}
.services{margin:0 -.25rem;padding:.25rem;max-height:min(26rem,45vh);overflow-y:auto}
.services li+li{margin-top:.5rem}
button,input{font:inherit;color:inherit}
button{cursor:pointer}
.service{display:flex;align-items:center;gap:.875rem;width:100%;min-height:3.5rem;padding:.5rem .875rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;text-align:start;font-weight:550}
.service:hover{background:var(--hover);border-color:var(--accent)}
.service .label{flex:1;min-width:0}
.service svg{flex:none;width:1.125rem;height:1.125rem;color:var(--muted)}
.tile{flex:none;display:grid;place-items:center;width:2.25rem;height:2.25rem;border-radius:.5rem;font-size:.8125rem;font-weight:650;letter-spacing:.02em}
${tileRules(TILES)}
@media (prefers-color-scheme:dark){${tileRules(TILES.map(darkTile))}}
.search{margin-bottom:.75rem}
label{display:block;margin-bottom:.375rem;font-weight:550;font-size:.9375rem}
input{display:block;width:100%;min-height:2.75rem;padding:.5rem .75rem;background:var(--card);border:1px solid var(--muted);border-radius:.625rem}
.field+.field{margin-top:1rem}
.primary{width:100%;min-height:2.875rem;margin-top:1.5rem;padding:.5rem 1rem;background:var(--primary);color:var(--primary-text);border:1px solid transparent;border-radius:.625rem;font-weight:600}
.primary:hover{box-shadow:inset 0 0 0 100vmax rgb(128 128 128/.18)}
.quiet{display:flex;flex-wrap:wrap;justify-content:center;gap:.25rem 1.25rem;margin-top:1rem}
.quiet button{padding:.5rem .75rem;background:none;border:0;border-radius:.5rem;color:var(--accent);font-weight:550}
.quiet button:hover,footer a:hover{text-decoration:underline;text-underline-offset:.2em}
.alert{display:flex;gap:.625rem;margin:0 0 1.25rem;padding:.75rem .875rem;background:var(--danger-soft);border-radius:.625rem;color:var(--danger);font-size:.9375rem}
.alert svg{flex:none;width:1.25rem;height:1.25rem;margin-top:.0625rem}
.sign{display:grid;place-items:center;width:3rem;height:3rem;margin:0 0 1.25rem;border-radius:50%;background:var(--danger-soft);color:var(--danger)}
.sign.good{background:var(--hover);color:var(--accent)}
.sign svg{width:1.5rem;height:1.5rem}
details{margin-top:1.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--muted);font-size:.875rem}
summary{cursor:pointer;border-radius:.25rem}
dl{margin:.75rem 0 0;display:grid;grid-template-columns:auto minmax(0,1fr);gap:.375rem 1rem}
dd{margin:0;color:var(--text)}
code{font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
footer{display:flex;gap:1.5rem;font-size:.875rem}
footer a{color:var(--page-text);border-radius:.25rem}
[hidden]{display:none!important}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
input:focus-visible{outline-offset:-1px}
@media (max-width:30rem){body{justify-content:flex-start;padding:0 0 1.5rem;background:var(--card)}main{max-width:none;padding:1.5rem 1.25rem;border:0;border-radius:0;box-shadow:none}.services{max-height:none;overflow:visible}footer{padding:0 1.25rem}footer a{color:var(--muted)}}
@media (forced-colors:active){.service,.primary,input{border-color:ButtonText}}
@media (prefers-reduced-motion:no-preference){.service,.primary{transition:background-color .12s,border-color .12s}}
`;

/** The colours of a theme as variables, those of the dark where the browser asks for it. */
export function rootVariables(theme: Theme): Html {
  return new Html(
    `:root{color-scheme:light;${variables(theme.light)}}@media (prefers-color-scheme:dark){:root{color-scheme:dark;${variables(theme.dark)}}}`,
  );
}

/** The whole style of every page of a flow: one sheet. */
export function styleSheet(theme: Theme): string {
  return `${rootVariables(theme).text}@media (prefers-color-scheme:dark){main{box-shadow:none}}${RULES}`;
}
