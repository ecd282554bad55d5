// Plain parts of a dialog over the viewer, in its colours; the browser keeps the focus in it.

const LOOK =
  "background:#0b1a42;color:#eef3ff;border:1px solid #3a5a9b;border-radius:.4rem;" +
  "padding:1rem 1.25rem;max-width:min(46rem,95vw);max-height:92vh;margin:auto;font-size:.9rem";
const CONTROL =
  "background:#050d26;color:inherit;border:1px solid #5a7bc0;border-radius:.25rem;padding:.25rem .4rem";

/** An element with attributes and text. */
export function element(name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (name === "button") made.style.cssText += `;${CONTROL};background:#1d4f7c;cursor:pointer`;
  if (text) made.textContent = text;
  return made;
}

/** A dialog that is gone from the page when it is closed; open it with showModal(). */
export function dialogOf(title, ...content) {
  const made = element("dialog", { style: LOOK, "aria-label": title });
  const heading = element("h2", { style: "font-size:1.1rem;margin:0 0 .75rem" }, title);
  made.append(heading, ...content);
  made.addEventListener("close", () => made.remove());
  // The viewer has keys of its own: what is typed here is not for it.
  made.addEventListener("keydown", (event) => event.stopPropagation());
  document.body.append(made);
  return made;
}

export function closeButton(dialog, label) {
  const made = element("button", { type: "button" }, label);
  made.addEventListener("click", () => dialog.close());
  return made;
}

/** A control below its label. */
export function field(label, control) {
  const made = element("label", { style: "display:grid;gap:.2rem" }, label);
  made.append(control);
  return made;
}

export function numberField(name, value, min, max) {
  const style = `${CONTROL};width:5.5rem`;
  return element("input", { type: "number", name, value, min, max, required: "", style });
}

/** `options`: pairs of value and label. */
export function select(name, options) {
  const made = element("select", { name, style: CONTROL });
  made.append(...options.map(([value, label]) => element("option", { value }, label)));
  return made;
}
