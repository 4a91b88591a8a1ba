import { COMPANY } from '../company/index.ts';
import { type Html, html } from '../site/html.ts';
import type { Arrival } from './arrivals.ts';

const tick = html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d="m4 10.5 4 4 8-9"/></svg>`;
const cross = html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d="m5 5 10 10M15 5 5 15"/></svg>`;

/** One call: what it said, or that it was refused. */
export function arrivalView({ number, at, customer, taken }: Arrival): Html {
  const time = html`<time datetime="${at.toISOString()}">${at.toISOString().slice(11, 19)}</time>`;
  const who = html`<span class="whose ${customer.key}"><span class="dot"></span>${customer.name}</span>`;
  if (taken.event === undefined)
    return html`<li class="arrival bad" id="arrival-${number}"><div class="arrival-head"><code>${taken.refused}</code>${who}${time}</div>
<p class="verdict">${cross}Answered ${taken.status}: not signed with the secret of this webhook. Nothing of it was believed.</p></li>`;
  const { event } = taken;
  const account = event.data.account_id === null ? null : html`, account <code>${event.data.account_id}</code>`;
  return html`<li class="arrival good" id="arrival-${number}"><div class="arrival-head"><code>${event.type}</code>${who}${time}</div>
<p class="verdict">${tick}<span>Answered 200: the signature is right${account}</span></p>
<details><summary>Message</summary><pre><code>${JSON.stringify(event, null, 2)}</code></pre></details></li>`;
}

/** `code`: the check as it stands in the receiver's source. */
export function receiverPage({ arrivals, code, siteUrl }: { arrivals: readonly Arrival[]; code: string; siteUrl: string | null }): string {
  const demo = siteUrl === null ? html`the demo page` : html`<a href="${siteUrl}">the demo page</a>`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Events as they arrive · Bulkhead demo</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/site.css">
<link rel="stylesheet" href="/receiver.css">
<script src="/copy.js" defer></script>
<script src="/receiver.js" defer></script>
</head>
<body>
<header class="top"><div class="wide"><p class="name"><span>${COMPANY} <span class="soft">webhook receiver</span></span></p>
<div class="top-links">${siteUrl === null ? null : html`<a href="${siteUrl}">Back to the demo</a>`}</div></div></header>
<main class="wide receiver">
<section class="hero-text">
<h1>Events as they arrive</h1>
<p class="lead">Every Application that ${demo} clones has a webhook, and this is where it leads. Connect an account there, and it shows up here, once its signature is checked.</p>
</section>
<section class="card arrivals" aria-labelledby="arrivals-title">
<div class="card-head"><h2 id="arrivals-title">What came</h2><span class="live" id="live">Reload to see more</span>
<form method="post" action="/forge"><button class="again" id="forge">Send a forged one</button></form></div>
<ol id="arrivals" aria-live="polite" aria-relevant="additions" data-last="${arrivals.at(-1)?.number ?? 0}">${arrivals.toReversed().map(arrivalView)}</ol>
<p class="empty">Nothing yet.</p>
</section>
<section class="card check" aria-labelledby="check-title">
<div class="card-head"><h2 id="check-title">The check, as this receiver runs it</h2><button type="button" class="copy" data-copy="${code}" data-select="check-code" aria-label="Copy the code of the check">Copy</button></div>
<pre tabindex="0"><code id="check-code">${code}</code></pre>
</section>
</main>
</body>
</html>
`.text;
}
