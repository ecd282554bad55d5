// Small windows of ours over the viewer, made of plain elements, with its colours.
/* global openpacs */
import { postJson } from "./asking.js";
import { element, styled } from "./elements.js";

const { styles, words } = openpacs.layouts;

styled(styles);

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
  const closing = { type: "button", className: "openpacs-close", "aria-label": words.close };
  const close = element("button", closing, "×");
  const body = element("div", { className: "openpacs-body" });
  const shown = { id: name, className: "openpacs-dialog", "aria-labelledby": heading.id };
  const dialog = element("dialog", shown, heading, close, body);
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
