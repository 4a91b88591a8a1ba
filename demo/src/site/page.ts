import { COMPANY } from '../company/index.ts';
import { demoNotesAccounts } from '../upstream/index.ts';
import { appView } from './app-view.ts';
import { callView, keyView, lineView, tokenView } from './call-view.ts';
import { compartmentsView } from './compartments-view.ts';
import { guides } from './guides.ts';
import { type Html, html } from './html.ts';
import type { RecordedCall } from './recorder.ts';
import { stepTexts } from './step-texts.ts';
import { customers, type Lane, otherLane, type StepName, stepNames, type Visit } from './visit.ts';

export interface PageInput {
  readonly visit: Visit;
  /** Of Bulkhead, for curl lines and links. */
  readonly bulkheadUrl: string;
  /** Of the page that shows webhooks as they arrive. */
  readonly receiverUrl: string;
  readonly templateCalls: readonly RecordedCall[];
}

const tick = html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d="m4 10.5 4 4 8-9"/></svg>`;
const cross = html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d="m5 5 10 10M15 5 5 15"/></svg>`;
const mark = html`<svg class="mark" viewBox="0 0 40 40" aria-hidden="true"><path class="hull" d="M3 13h34c0 13-6 20-17 20S3 26 3 13Z"/><path class="wall" d="M14.5 13v18.6M25.5 13v18.6"/></svg>`;

const META_TOKEN_LINE = 'META_TOKEN=$(npx bulkhead meta-tokens create --name demo)';

/** What stands for credentials in the lines, and how a reader comes to some of their own. */
const runView = html`<details class="aside run" id="run"><summary>Run the lines yourself</summary>
<p>In the lines, names with <code>$</code> stand for credentials. Copy fills in Bearer tokens; no other credential is on this page. A Meta token of your own, in a terminal, in the folder that Bulkhead was started in:</p>
${lineView('meta-token-line', META_TOKEN_LINE, 'Copy the line that makes a Meta token')}
<p><code>$ALDER_API_KEY</code> and <code>$BIRCH_API_KEY</code> stay on ${COMPANY}’s server: once a customer is cloned, its card has a line that makes a key of your own. Two lines are only to be read: <code>$CODE</code> is spent by the time you see it, and <code>$HARBOUR_CLIENT_SECRET</code> stays on the server. What the template’s lines made cannot be made twice.</p>
</details>`;

/** Whether a step has what it needs. */
function isReady(visit: Visit, lane: Lane, step: StepName): boolean {
  switch (step) {
    case 'clone':
      return true;
    case 'connect':
    case 'app':
      return lane.application !== null;
    case 'call':
    case 'exchange':
      return lane.accounts.size > 0;
    case 'wall':
      return lane.accounts.size > 0 && otherLane(visit, lane).accounts.size > 0;
  }
}

function resultView(lane: Lane, step: StepName, bulkheadUrl: string): Html | null {
  const result = lane.results.get(step);
  if (result === undefined) return null;
  const id = `${step}-${lane.customer.key}`;
  return html`<div class="result ${result.good ? 'good' : 'bad'}" id="${id}-result"${result.good ? null : html` role="alert"`}>
<p class="outcome">${result.good ? tick : cross}<span><span class="unseen">${result.good ? 'Done: ' : 'Not as expected: '}</span>${result.text}</span></p>
${result.points === undefined ? null : html`<ul class="points">${result.points.map((point) => html`<li>${point}</li>`)}</ul>`}
</div>
${held(lane, step, bulkheadUrl)}
<ol class="calls" aria-label="Requests of this step">${result.calls.map((call, index) => callView(`${id}-${index}`, bulkheadUrl, call, step === 'wall' && index === 0))}</ol>`;
}

/** The credentials that a step brought. */
function held(lane: Lane, step: StepName, bulkheadUrl: string): Html | null {
  if (step === 'clone' && lane.application !== null) return keyView(bulkheadUrl, lane.application);
  if (step === 'connect' && lane.accounts.size > 0) return html`${[...lane.accounts.values()].map(({ token }) => tokenView(token))}`;
  if (step === 'exchange' && lane.narrowed !== null) return tokenView(lane.narrowed);
  return null;
}

function buttonOf(visit: Visit, lane: Lane, step: StepName): Html | null {
  if ((step === 'clone' && lane.application !== null) || (step === 'app' && lane.install !== null)) return null;
  const text = stepTexts[step];
  const other = otherLane(visit, lane).customer.name;
  const ready = isReady(visit, lane, step);
  const done = lane.results.has(step) && (lane.results.get(step)?.good ?? false);
  const label = done ? text.again(other) : text.button(other);
  const id = `${step}-${lane.customer.key}-button`;
  const why = ready ? null : html`<span class="why" id="${id}-why">${text.first}</span>`;
  const whyId = why === null ? null : html` aria-describedby="${id}-why"`;
  // Connecting leaves this page, so the script lets that form alone.
  const leaves = step === 'connect' ? html` data-leaves` : null;
  return html`<form method="post" action="/${lane.customer.key}/${step}"${leaves}>
<button id="${id}" class="${done ? 'again' : 'primary'}"${ready ? null : html` disabled`}${whyId}>${label}<span class="unseen"> for ${lane.customer.name}</span></button>${why}
</form>`;
}

/** The way to an account without OAuth. */
function lanternOf(lane: Lane): Html | null {
  if (lane.application === null) return null;
  const key = demoNotesAccounts.find(({ id }) => id === lane.customer.key)?.key ?? '';
  return html`<details class="aside" id="notes-${lane.customer.key}"><summary>A service without OAuth</summary>
<p>Lantern Notes has API keys only, so the connect page asks for one, whether you choose it there or go straight to it here. The demo’s key:</p>
<p class="token"><code id="notes-${lane.customer.key}-key">${key}</code><button type="button" class="copy" data-copy="${key}" data-select="notes-${lane.customer.key}-key" aria-label="Copy the key of Lantern Notes">Copy</button></p>
<form method="post" action="/${lane.customer.key}/connect" data-leaves><input type="hidden" name="service" value="lantern"><button class="again" id="notes-${lane.customer.key}-button">Connect Lantern Notes</button></form>
</details>`;
}

function panel(input: PageInput, lane: Lane, step: StepName): Html {
  const { customer } = lane;
  return html`<section class="panel ${customer.key}" id="${step}-${customer.key}" aria-label="${stepTexts[step].title}, ${customer.name}">
<h3><span class="dot"></span>${customer.name}${step === 'connect' ? html`<span class="who">${customer.person.name}</span>` : null}</h3>
${buttonOf(input.visit, lane, step)}
${step === 'app' ? appView(lane) : null}
${resultView(lane, step, input.bulkheadUrl)}
${step === 'connect' ? lanternOf(lane) : null}
</section>`;
}

function stepView(input: PageInput, step: StepName, index: number): Html {
  const text = stepTexts[step];
  const template =
    step === 'clone' && input.templateCalls.length > 0
      ? html`<details class="template" id="template"><summary>The template was made first: ${input.templateCalls.length} requests, once for all customers</summary><ol class="calls">${input.templateCalls.map((call, number) => callView(`template-${number}`, input.bulkheadUrl, call))}</ol></details>`
      : null;
  return html`<section class="step" id="${step}" aria-labelledby="${step}-title">
<div class="step-head"><span class="number" aria-hidden="true">${index + 1}</span><div><h2 id="${step}-title"><span class="unseen">Step ${index + 1}: </span>${text.title}</h2><p>${text.lead}</p></div></div>
${template}
<div class="pair">${customers.map(({ key }) => panel(input, input.visit.lanes[key], step))}</div>
</section>`;
}

function progress(visit: Visit): Html {
  const lanes = Object.values(visit.lanes);
  const states = stepNames.map((step) => lanes.filter((lane) => lane.results.get(step)?.good).length);
  // Where the customer is who has come furthest and still has something before them; -1 when nobody has.
  const next = Math.max(...lanes.map((lane) => stepNames.findIndex((step) => !lane.results.get(step)?.good)));
  return html`<nav class="progress" aria-label="Steps"><ol>${stepNames.map((step, index) => {
    const done = states[index] === lanes.length;
    const half = !done && states[index] !== 0;
    return html`<li class="${done ? 'done' : half ? 'half' : ''}"><a href="#${step}"${index === next ? html` aria-current="step"` : null}><span class="pip" aria-hidden="true">${done ? tick : index + 1}</span><span class="label">${stepTexts[step].short}</span>${done ? html`<span class="unseen"> (done)</span>` : null}${half ? html`<span class="unseen"> (done for one customer of two)</span>` : null}</a></li>`;
  })}</ol></nav>`;
}

/** The whole page, as it stands for this visit. */
export function demoPage(input: PageInput): string {
  const { visit, bulkheadUrl, receiverUrl } = input;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Two customers, one integration · Bulkhead demo</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/site.css">
<script src="/copy.js" defer></script>
<script src="/site.js" defer></script>
</head>
<body>
<a class="skip" href="#clone">Skip to the first step</a>
<header class="top"><div class="wide"><p class="name">${mark}<span>Bulkhead <span class="soft">demo</span></span></p>
<div class="top-links"><a href="${receiverUrl}">Events</a><a href="${bulkheadUrl}/v1/docs">API reference</a><form method="post" action="/reset"><button class="quiet" id="reset">Start over</button></form></div></div></header>
<main class="wide">
<section class="hero"><div>
<h1>Two customers, one integration, and a wall between them</h1>
<p class="lead">${COMPANY} is a made-up product. Its customers connect their files and install an App, and each gets a sealed compartment. Press the buttons: ${COMPANY}’s server talks to Bulkhead by HTTP, and every request is shown as a <code>curl</code> line.</p>
<p class="small">Everything here is made up and stays on this machine.</p>
${runView}
</div>
${compartmentsView(visit)}
</section>
${progress(visit)}
${stepNames.map((step, index) => stepView(input, step, index))}
</main>
<footer class="wide"><p>Where to go from here: the guides (${guides.map(({ path, title }, index) => html`${index === 0 ? '' : ', '}<a href="${path}">${title}</a>`)}), the <a href="${bulkheadUrl}/v1/docs">API reference</a> and its <a href="${bulkheadUrl}/v1/openapi.json">OpenAPI document</a>, and <code>npx bulkhead demo</code> for the same story in a terminal.</p></footer>
<div id="news" class="unseen" role="status" aria-live="polite" data-news="${visit.news}"></div>
<p id="trouble" class="trouble" role="alert" hidden></p>
</body>
</html>
`.text;
}
