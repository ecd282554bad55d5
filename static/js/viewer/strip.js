// The strip on top of the viewer: whose images these are, and the ways out of them.
/* global openpacs */
const { styles, words } = openpacs.reading;
let bar = null;

function make(tag, className) {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}

function strip() {
  if (bar) return bar;
  const sheet = document.createElement("link");
  Object.assign(sheet, { rel: "stylesheet", href: styles });
  document.head.append(sheet);
  bar = make("section", "openpacs-strip");
  bar.setAttribute("aria-label", words.strip);
  const who = make("div", "openpacs-identities");
  who.setAttribute("role", "status");
  bar.append(who);
  document.getElementById("root").before(bar);
  return bar;
}

// A button at the end of the strip, made once; gives it back.
export function button(id, { label, title, run }) {
  const there = document.getElementById(id);
  if (there) return there;
  const element = make("button", "");
  Object.assign(element, { id, type: "button", textContent: label, title });
  element.addEventListener("click", run);
  strip().append(element);
  return element;
}

// The identity lines as the server made them; more than one patient is a warning.
export function showIdentities(lines) {
  const who = strip().querySelector(".openpacs-identities");
  who.innerHTML = lines.join("");
  if (lines.length > 1) {
    const warning = make("strong", "openpacs-warning");
    warning.textContent = words.several;
    who.prepend(warning);
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
