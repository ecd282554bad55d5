// Images on paper and as a film: a small dialog of ours.
/* global openpacs */
import { capture, describe, viewportsOf } from "./capture.js";
import { askForFilm } from "./film.js";
import { closeButton, dialogOf, element, field, numberField, select } from "./dialog.js";

const { layout, rows, film, words } = openpacs.printing;
const LONGEST = 1800; // pixels of the longer side of a viewport
const HIGHEST = 1_000_000;

async function openDialog(context) {
  const shown = viewportsOf(context);
  if (!shown.length) return;
  const known = shown.map((one) => describe(one, context, words));
  const pictures = await capture(shown, LONGEST);
  const active = Math.max(shown.findIndex((one) => one.active), 0);
  const asked = form(known[active]);
  const status = element("p", { role: "status" });
  const dialog = dialogOf(words.title, preview(pictures, shown), asked, status);
  const buttons = element("div", { style: "display:flex;gap:.5rem;flex-wrap:wrap" });
  buttons.append(
    action(words.printLayout, () => postLayout(asked, shown, known, pictures)),
    action(words.printRows, () => postRows(asked, known[active])),
  );
  if (film) {
    buttons.append(
      action(words.film, () => askForFilm(asked, known[active], (said) => (status.textContent = said))),
    );
  }
  buttons.append(closeButton(dialog, words.close));
  asked.append(buttons);
  dialog.showModal();
}

function form({ images, speed }) {
  const made = element("form", { style: "display:grid;gap:.75rem" });
  const paper = element("div", { style: "display:flex;gap:1rem;flex-wrap:wrap" });
  paper.append(
    field(words.paper, select("paper", [["a4", "A4"], ["us-letter", "Letter"]])),
    field(
      words.orientation,
      select("orientation", [["landscape", words.landscape], ["portrait", words.portrait]]),
    ),
  );
  const series = element("fieldset", { style: "border:1px solid #557;padding:.5rem .75rem" });
  series.append(element("legend", {}, words.series));
  const numbers = element("div", { style: "display:flex;gap:1rem;flex-wrap:wrap" });
  numbers.append(
    field(words.first, numberField("first", 1, 1, HIGHEST)),
    field(words.last, numberField("last", images, 1, HIGHEST)),
    field(words.step, numberField("step", 1, 1, 10_000)),
    field(words.rows, numberField("rows", 4, 1, 8)),
    field(words.columns, numberField("columns", 5, 1, 8)),
  );
  if (film) numbers.append(field(words.speed, numberField("speed", speed ?? openpacs.printing.speed, 1, 60)));
  series.append(numbers);
  made.append(paper, series);
  return made;
}

function preview(pictures, shown) {
  const made = element("div", {
    style: "position:relative;background:#fff;width:16rem;height:11rem;margin-bottom:.75rem",
  });
  pictures.forEach((picture, at) => {
    const [x, y, width, height] = shown[at].box.map((value) => `${100 * value}%`);
    const image = element("img", {
      src: URL.createObjectURL(picture),
      alt: "",
      style: `position:absolute;left:${x};top:${y};width:${width};height:${height};object-fit:contain;padding:2px`,
    });
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    made.append(image);
  });
  return made;
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
  const made = element("form", {
    method: "post",
    action: address,
    target: "_blank",
    enctype: "multipart/form-data",
    hidden: "",
  });
  const all = { ...fields, csrfmiddlewaretoken: openpacs.site.csrfToken };
  for (const [name, value] of Object.entries(all)) {
    made.append(element("input", { type: "hidden", name, value }));
  }
  const files = new DataTransfer();
  pictures.forEach((picture, at) => files.items.add(new File([picture], `${at}.jpg`)));
  const input = element("input", { type: "file", name: "picture", multiple: "" });
  input.files = files.files;
  if (pictures.length) made.append(input);
  document.body.append(made);
  made.submit();
  made.remove();
}

function action(label, run) {
  const made = element("button", { type: "button", class: "openpacs-action" }, label);
  made.addEventListener("click", () => {
    if (made.form.reportValidity()) run();
  });
  return made;
}

export const commands = (context) => ({ openpacsPrint: () => openDialog(context) });

export const buttons = () => [
  {
    id: "openpacsPrint",
    // Beside a report the toolbar has no room for more.
    section: window.self === window.top ? "primary" : "MoreTools",
    uiType: "ohif.toolButton",
    props: {
      icon: "action-new-dialog",
      label: words.title,
      tooltip: words.title,
      commands: { commandName: "openpacsPrint", context: "openpacs" },
      evaluate: "evaluate.action",
    },
  },
];
