// Small windows of ours over the viewer, made of plain elements, with its colours.
/* global openpacs */
import { postJson } from "./asking.js";

const { styles, words } = openpacs.layouts;

const sheet = document.createElement("link");
sheet.rel = "stylesheet";
sheet.href = styles;
document.head.append(sheet);

/** An element with properties (`dataset` and `aria-...`, too) and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("aria-")) made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

/** A field below its label. */
export function labelled(text, field) {
  return element("label", { className: "openpacs-field" }, element("span", {}, text), field);
}

/** A box or a choice before its label. */
export function ticked(text, field) {
  return element("label", { className: "openpacs-tick" }, field, element("span", {}, text));
}

export function numberField(name, value, min, max) {
  return element("input", { type: "number", name, value, min, max, required: true });
}

/** `options`: pairs of value and text. */
export function choice(name, options) {
  const made = options.map(([value, textContent]) => element("option", { value, textContent }));
  return element("select", { name }, ...made);
}

/**
 * Open a dialog of this name, or close it where it is open already; null then.
 *
 * Not modal, it leaves the images to be looked at and worked with. Escape closes both.
 */
export function openDialog({ name, title, modal = true, onClose = () => {} }) {
  const open = document.getElementById(name);
  if (open) {
    open.close();
    return null;
  }
  const heading = element("h2", { id: `${name}-title` }, title);
  const close = element("button", { type: "button", className: "openpacs-close" }, "×");
  close.setAttribute("aria-label", words.close);
  const body = element("div", { className: "openpacs-body" });
  const dialog = element("dialog", { id: name, className: "openpacs-dialog" }, heading, close, body);
  dialog.setAttribute("aria-labelledby", heading.id);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => keepKeys(event, dialog));
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose();
  });
  document.body.append(dialog);
  if (modal) dialog.showModal();
  else dialog.show();
  return { dialog, body };
}

// The viewer has a meaning for nearly every key.
function keepKeys(event, dialog) {
  event.stopPropagation();
  if (event.key === "Escape") {
    event.preventDefault();
    dialog.close();
  }
}

/** Tell the user in the viewer's own way. */
export function tell(context, title, message, type = "success") {
  const { uiNotificationService } = context.servicesManager.services;
  uiNotificationService.show({ title, message, type, duration: 4000 });
}

/** Ask our server; resolves to its JSON, rejects with what it said. */
export async function ask(address, sent) {
  const response = await (sent ? postJson(address, sent) : fetch(address));
  // Who is signed out is led to a page: that is no answer either.
  const kind = response.headers.get("Content-Type") ?? "";
  const said = kind.startsWith("application/json") ? await response.json() : null;
  if (!response.ok || !said) throw new Error((said?.errors ?? [words.failed]).join(" "));
  return said;
}
