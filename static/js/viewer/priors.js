// The other studies of the patient, under whatever number they were made, to compare with.
/* global openpacs */
import { element } from "./elements.js";
import { currentStudy, show as showStudies } from "./reading.js";
import { button, key } from "./strip.js";

const { list, words } = openpacs.priors;
let dialog = null;

function action(text, run) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", () => {
    dialog.close();
    run();
  });
  return made;
}

function row(current, prior) {
  const said = [prior.date, prior.modalities.join(" "), prior.description, prior.report];
  const text = element("span", {}, said.filter(Boolean).join(" · "));
  if (prior.reason) text.append(element("span", { className: "openpacs-reason" }, prior.reason));
  return element(
    "li",
    { dataset: { study: prior.study } },
    text,
    action(words.compare, () => showStudies([current, prior.study])),
    action(words.open, () => showStudies([prior.study])),
  );
}

async function load(current) {
  const response = await fetch(list.replace("UID", encodeURIComponent(current)));
  if (!response.ok) return [element("li", {}, words.failed)];
  const { priors } = await response.json();
  return priors.length > 0
    ? priors.map((prior) => row(current, prior))
    : [element("li", {}, words.none)];
}

function make() {
  const title = element("h2", { id: "openpacs-priors-title" }, words.title);
  const shown = { className: "openpacs-priors", "aria-labelledby": title.id };
  const made = element("dialog", shown, title, element("ul"), action(words.close, () => {}));
  document.body.append(made);
  return made;
}

// Asked for when wanted: opening a study waits for nothing of this.
async function show() {
  dialog ??= make();
  const current = currentStudy();
  dialog.querySelector("ul").replaceChildren(...(await load(current)));
  if (!dialog.open) dialog.showModal();
}

export const commands = () => ({ openpacsPriors: show });

let entered = false;

export function enter() {
  if (entered) return;
  entered = true;
  button("openpacs-priors", { label: words.priors, title: words.priorsHint, run: show });
  key("P", show);
}
