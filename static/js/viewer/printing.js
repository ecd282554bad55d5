// Images on paper and as a film: a small dialog of ours.
/* global openpacs */
import { capture, describe, viewportsOf } from "./capture.js";
import { choice, labelled, numberField, openDialog } from "./dialogs.js";
import { element } from "./elements.js";
import { askForFilm } from "./film.js";
import { button } from "./toolbar.js";

const { layout, rows, film, words } = openpacs.printing;
const LONGEST = 1800; // pixels of the longer side of a viewport
const HIGHEST = 1_000_000;

async function ask(context) {
  const shown = viewportsOf(context);
  if (!shown.length) return;
  const known = shown.map((one) => describe(one, context, words));
  const pictures = await capture(shown, LONGEST);
  const active = Math.max(shown.findIndex((one) => one.active), 0);
  const asked = form(known[active]);
  const status = element("p", { role: "status" });
  const opened = openDialog({ name: "openpacs-print", title: words.title });
  if (!opened) return;
  asked.append(
    row(
      action(words.printLayout, () => postLayout(asked, shown, known, pictures)),
      action(words.printRows, () => postRows(asked, known[active])),
      ...(film
        ? [action(words.film, () => askForFilm(asked, known[active], (said) => (status.textContent = said)))]
        : []),
    ),
  );
  opened.body.append(preview(pictures, shown), asked, status);
}

function row(...children) {
  return element("div", { className: "openpacs-row" }, ...children);
}

function form({ images, speed }) {
  const papers = [["a4", "A4"], ["us-letter", "Letter"]];
  const ways = [["landscape", words.landscape], ["portrait", words.portrait]];
  const numbers = row(
    labelled(words.first, numberField("first", 1, 1, HIGHEST)),
    labelled(words.last, numberField("last", images, 1, HIGHEST)),
    labelled(words.step, numberField("step", 1, 1, 10_000)),
    labelled(words.rows, numberField("rows", 4, 1, 8)),
    labelled(words.columns, numberField("columns", 5, 1, 8)),
  );
  if (film) {
    numbers.append(labelled(words.speed, numberField("speed", speed ?? openpacs.printing.speed, 1, 60)));
  }
  return element(
    "form",
    {},
    row(
      labelled(words.paper, choice("paper", papers)),
      labelled(words.orientation, choice("orientation", ways)),
    ),
    element("fieldset", {}, element("legend", {}, words.series), numbers),
  );
}

function preview(pictures, shown) {
  const made = pictures.map((picture, at) => {
    const [left, top, width, height] = shown[at].box.map((value) => `${100 * value}%`);
    const image = element("img", { src: URL.createObjectURL(picture), alt: "" });
    Object.assign(image.style, { left, top, width, height });
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    return image;
  });
  return element("div", { className: "openpacs-sheet" }, ...made);
}

function postLayout(asked, shown, known, pictures) {
  const plan = known.map(({ study, series, caption, letters, measurements }, at) => ({
    study,
    series,
    box: shown[at].box,
    caption: [caption, ...measurements.slice(0, 4)],
    letters,
  }));
  const { paper, orientation } = Object.fromEntries(new FormData(asked));
  post(layout, { paper, orientation, plan: JSON.stringify(plan) }, pictures);
}

function postRows(asked, { series, instance, window: levels }) {
  const { speed: _unused, ...given } = Object.fromEntries(new FormData(asked));
  post(rows, { ...given, series, instance, ...(levels ?? {}) }, []);
}

/** A real form, so that the browser opens the answer in a tab and nothing blocks it. */
function post(address, fields, pictures) {
  const all = { ...fields, csrfmiddlewaretoken: openpacs.site.csrfToken };
  const made = element(
    "form",
    { method: "post", action: address, target: "_blank", enctype: "multipart/form-data", hidden: true },
    ...Object.entries(all).map(([name, value]) => element("input", { type: "hidden", name, value })),
  );
  const files = new DataTransfer();
  pictures.forEach((picture, at) => files.items.add(new File([picture], `${at}.jpg`)));
  const input = element("input", { type: "file", name: "picture", multiple: true });
  input.files = files.files;
  if (pictures.length) made.append(input);
  document.body.append(made);
  made.submit();
  made.remove();
}

function action(label, run) {
  const made = element("button", { type: "button" }, label);
  made.addEventListener("click", () => {
    if (made.form.reportValidity()) run();
  });
  return made;
}

export const commands = (context) => ({ openpacsPrint: () => ask(context) });

// Beside a report the toolbar has no room for more.
const section = window.self === window.top ? "primary" : "MoreTools";

export const buttons = () => [
  button({ id: "openpacsPrint", section, icon: "action-new-dialog", label: words.title }),
];
