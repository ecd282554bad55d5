// The reporting page: keys, drafts that save themselves, images beside the text.

const form = document.querySelector("[data-report-form]");
const WIDE = "(min-width: 80rem)";
let saving = false;
let waiting = null; // a signature asked for while a draft was on its way

function typing(event) {
  return event.target.closest("input, select, textarea, [contenteditable]");
}

function sign() {
  const button = form?.querySelector("[data-sign]");
  if (button && !button.matches(":disabled")) form.requestSubmit(button);
}

function save() {
  if (form) form.dispatchEvent(new CustomEvent("save"));
}

document.addEventListener("keydown", (event) => {
  const control = event.ctrlKey || event.metaKey;
  if (control && event.key === "s") {
    event.preventDefault();
    save();
  } else if (control && event.key === "Enter") {
    event.preventDefault();
    sign();
  } else if (event.altKey && event.key.toLowerCase() === "i") {
    event.preventDefault();
    document.querySelector('[data-section="impression"]')?.focus();
  } else if (event.key === "v" && !control && !event.altKey && !typing(event)) {
    document.querySelector("[data-viewer]")?.click();
  }
});

if (form) {
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches("[data-saves]")) saving = true;
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (!event.target.matches("[data-saves]")) return;
    saving = false;
    // After the answer has settled: it brings the revision to sign.
    if (waiting) setTimeout(() => form.requestSubmit(waiting.button), 50);
  });
  form.addEventListener("submit", (event) => {
    // A draft that is being saved moves the revision on: sign after it, not against it.
    if (saving) {
      event.preventDefault();
      waiting = { button: event.submitter };
      return;
    }
    if (event.submitter?.matches("[data-save]")) {
      event.preventDefault();
      save();
    }
  });
}

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

// Loaded only where it is shown: on narrow screens the images have their own window.
const frame = document.querySelector("[data-viewer-frame]");
if (frame && window.matchMedia(WIDE).matches) frame.src = frame.dataset.viewerFrame;
