// A person's habits follow to any computer: what the viewer keeps in the browser goes to the
// server when it changes. At the start app-config.js wrote what the server had.
/* global openpacs */
import { ask } from "./dialogs.js";

const { address, names } = openpacs.preferences;
const QUIET = 1000; // milliseconds after the last change
let known = null;
let timer = 0;

function stored() {
  const held = names.map((name) => [name, localStorage.getItem(name)]);
  return Object.fromEntries(held.filter(([, text]) => text !== null));
}

/** Keep parts of the habits, `stored` or `windows`. */
export function keep(changes) {
  Object.assign(openpacs.preferences, changes);
  return ask(address, changes);
}

/** What the server has, with what has changed since. */
function merged(now) {
  const changed = names.filter((name) => now[name] !== known[name]);
  const kept = { ...openpacs.preferences.stored };
  for (const name of changed) {
    if (now[name] === undefined) delete kept[name];
    else kept[name] = now[name];
  }
  return changed.length ? kept : null;
}

function push() {
  clearTimeout(timer);
  const now = stored();
  const kept = known && merged(now);
  if (!kept) return;
  const before = known;
  known = now;
  // Tried again with the next change: the viewer goes on without.
  keep({ stored: kept }).catch(() => {
    known = before;
  });
}

function watch(method) {
  const original = Storage.prototype[method];
  Storage.prototype[method] = function (name, ...rest) {
    original.call(this, name, ...rest);
    if (this === localStorage && names.includes(name)) {
      clearTimeout(timer);
      timer = setTimeout(push, QUIET);
    }
  };
}

export function prepare() {
  watch("setItem");
  watch("removeItem");
  window.addEventListener("pagehide", push);
}

// What the viewer wrote while it started is not a person's choice.
export function enter() {
  known ??= stored();
}
