// The reporting page: keys, drafts that save themselves, images beside the text.

import "./report-measurements.js";
import { isForeign, shown } from "./report-viewer.js";

const form = document.querySelector("[data-report-form]");
const signedOut = document.querySelector("[data-signed-out]");
let saving = false;
let dirty = false; // typed since the draft was last on its way
let leaving = null; // the page to go to once the draft is kept
let waiting = null; // a signature asked for while a draft was on its way

function typing(event) {
  return event.target.closest("input, select, textarea, [contenteditable]");
}

function sign(then = "") {
  const button = form?.querySelector("[data-sign]");
  if (!button || button.matches(":disabled")) return;
  form.querySelector("[data-then]").value = then;
  form.requestSubmit(button);
}

// The server holds what a viewer shows against the patient of the report; so does this page.
function checkShown(event) {
  event.target.querySelector("[data-shown]").value = shown().join(" ");
  if (!isForeign()) return true;
  event.preventDefault();
  document.querySelector("[data-mismatch]").scrollIntoView({ block: "center" });
  document.querySelector("[data-show-own]").focus();
  return false;
}

// Away from the page, but not from what was typed a moment ago.
function leave(address) {
  if (dirty || saving) {
    leaving = address;
    if (!saving) save();
  } else {
    location.assign(address);
  }
}

function save() {
  if (form) form.dispatchEvent(new CustomEvent("save"));
}

// Signing in, in another tab, changes the token; the form here still has the one before.
function freshToken() {
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (cookie) form.elements.csrfmiddlewaretoken.value = cookie[1];
}

document.addEventListener("keydown", (event) => {
  const control = event.ctrlKey || event.metaKey;
  if (control && event.key === "s") {
    event.preventDefault();
    save();
  } else if (control && event.key === "Enter") {
    event.preventDefault();
    sign(event.shiftKey ? "next" : "");
  } else if (event.altKey && event.key.toLowerCase() === "i") {
    event.preventDefault();
    document.querySelector('[data-section="impression"]')?.focus();
  } else if (event.key === "v" && !control && !event.altKey && !typing(event)) {
    document.querySelector("[data-viewer]")?.click();
  } else if (event.key === "n" && !control && !event.altKey && !typing(event)) {
    document.querySelector("[data-next]")?.click();
  }
});

document.addEventListener("click", (event) => {
  const next = event.target.closest("[data-next]");
  if (next && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    leave(next.href);
  }
  if (event.target.closest("[data-sign-next]")) sign("next");
  else if (event.target.closest("[data-signs]") && form) form.querySelector("[data-then]").value = "";
});

if (form) {
  form.addEventListener("input", () => {
    dirty = true;
  });
  form.addEventListener("htmx:configRequest", (event) => {
    if (!event.target.matches("[data-saves]")) return;
    freshToken();
    event.detail.parameters.csrfmiddlewaretoken = form.elements.csrfmiddlewaretoken.value;
  });
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.target.matches("[data-saves]")) return;
    saving = true;
    dirty = false;
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (!event.target.matches("[data-saves]")) return;
    saving = false;
    const kept = event.detail.successful;
    if (kept) signedOut.hidden = true;
    else dirty = true;
    if (kept && leaving) location.assign(leaving);
    leaving = null;
    // After the answer has settled: it brings the revision to sign.
    const { button } = waiting ?? {};
    waiting = null;
    if (kept && button) setTimeout(() => form.requestSubmit(button), 50);
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.matches("[data-signs]") && !checkShown(event)) return;
    if (event.submitter?.matches("[data-save]")) {
      event.preventDefault();
      save();
      return;
    }
    // A draft that is being saved moves the revision on: sign after it, not against it. And
    // what is not kept yet is kept first: a page that refuses must not take the text with it.
    if (saving || dirty) {
      event.preventDefault();
      waiting = { button: event.submitter };
      if (!saving) save();
      return;
    }
    freshToken();
  });
  // Whoever was signed out while writing stays on the page, with what is not kept anywhere yet.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr } = event.detail;
    const away = xhr.getResponseHeader("HX-Redirect") || /<html/i.test(xhr.responseText);
    if (!away || !(dirty || saving)) return;
    event.preventDefault();
    signedOut.hidden = false;
  });
}

document.querySelector("[data-addendum-form]")?.addEventListener("submit", checkShown);

// Refusals come with a text of their own: show it where the answer would have stood.
document.addEventListener("htmx:beforeSwap", (event) => {
  if ([403, 409, 422].includes(event.detail.xhr.status)) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

// A template that was put in is text like any other, and saved like it.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "sections") save();
});
