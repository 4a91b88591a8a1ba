// The main module of an instance: maps a call to an exported function. Without it, a module that has no handler would hand the
// request on to the outside.
import { runCall } from './prelude.mjs';
import * as functions from './function.mjs';

const text = (value) => (typeof value === 'string' ? value : String(value));

function failure(thrown) {
  try {
    if (thrown instanceof Error)
      return { name: text(thrown.name), message: text(thrown.message), stack: thrown.stack === undefined ? null : text(thrown.stack) };
    return { name: 'Error', message: text(thrown), stack: null };
  } catch {
    return { name: 'Error', message: 'what was thrown cannot be told', stack: null };
  }
}

/** What a check asks for; no function has an empty name. */
function exported() {
  try {
    return Response.json({ ok: true, value: Object.keys(functions).filter((name) => typeof functions[name] === 'function') });
  } catch (thrown) {
    return Response.json({ ok: false, error: failure(thrown) });
  }
}

export default {
  async fetch(request) {
    const { id, name, payload, context } = await request.json();
    if (name === '') return exported();
    const called = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (typeof called !== 'function')
      return Response.json({
        ok: false,
        error: { name: 'FunctionUnknown', message: `The code exports no function "${name}"`, stack: null },
      });
    try {
      const value = await runCall(id, context, () => called(payload, context));
      return new Response(`{"ok":true,"value":${JSON.stringify(value ?? null) ?? 'null'}}`);
    } catch (thrown) {
      return Response.json({ ok: false, error: failure(thrown) });
    }
  },
};
