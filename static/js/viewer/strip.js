// The strip on top of the viewer: whose images these are, and the ways out of them.
/* global openpacs */
import { element, styled } from "./elements.js";

const { styles, words } = openpacs.reading;
let bar = null;

function strip() {
  if (bar) return bar;
  styled(styles);
  const who = element("div", { className: "openpacs-identities", role: "status" });
  bar = element("section", { className: "openpacs-strip", "aria-label": words.strip }, who);
  document.getElementById("root").before(bar);
  return bar;
}

// A button at the end of the strip, made once; gives it back.
export function button(id, { label, title, run }) {
  const there = document.getElementById(id);
  if (there) return there;
  const made = element("button", { id, type: "button", title }, label);
  made.addEventListener("click", run);
  strip().append(made);
  return made;
}

// The identity lines as the server made them; more than one patient is a warning.
export function showIdentities(lines) {
  const who = strip().querySelector(".openpacs-identities");
  who.innerHTML = lines.join("");
  if (lines.length > 1) {
    who.prepend(element("strong", { className: "openpacs-warning" }, words.several));
  }
}

// Alt and a letter, wherever the focus is, but not while somebody is typing.
export function key(letter, run) {
  document.addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.code !== `Key${letter}`) return;
    if (event.target.closest("input, textarea, [contenteditable]")) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  }, true);
}
