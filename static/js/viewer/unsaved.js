// Before the viewer goes to somebody else it asks about what was drawn and would be lost.
/* global openpacs */
import { openDialog } from "./dialogs.js";
import { element } from "./elements.js";
import { watchHistory } from "./leaving.js";
import { areOffered, told, unsaved } from "./measurements.js";
import { askBefore, openDesk, send } from "./reading.js";
import { storeSegmentation, unsavedSegmentations } from "./segmentations.js";

const { words } = openpacs.unsaved;
const DIALOG = "openpacs-unsaved";
const SOURCE = "openpacs"; // as app-config.js names where things are stored
const SERIES_NUMBER = 3001; // as the viewer numbers its first report
const GOING_MS = 15_000; // who has chosen to go is not asked again on the way
let context = null;
let asked = null; // the question that is open, for all who want to go
let going = 0;

const NOTHING = { measured: [], drawn: [], count: 0 };

function wouldBeLost() {
  if (Date.now() < going) return NOTHING;
  const [measured, drawn] = [unsaved(), unsavedSegmentations()];
  return { measured, drawn, count: measured.length + drawn.length };
}

async function store({ measured, drawn }) {
  for (const one of drawn) await storeSegmentation(one, SOURCE);
  await storeMeasured(measured);
}

async function storeMeasured(list) {
  const { commandsManager } = context;
  for (const study of new Set(list.map((one) => one.referenceStudyUID))) {
    const measurementData = list.filter((one) => one.referenceStudyUID === study);
    const options = { SeriesDescription: words.series, SeriesNumber: SERIES_NUMBER };
    const sent = { measurementData, dataSource: SOURCE, additionalFindingTypes: ["ArrowAnnotate"], options };
    await commandsManager.runCommand("storeMeasurements", sent, "CORNERSTONE_STRUCTURED_REPORT");
  }
}

// What can be done with them first: each resolves once it may be gone on.
function ways(list) {
  const found = [];
  const { measured, drawn } = list;
  if (!drawn.length && openDesk() && areOffered(measured)) found.push([words.insert, () => send({ kind: "insert" })]);
  if (openpacs.site.mayStore && drawn.every((one) => one.isStorable)) found.push([words.store, () => store(list)]);
  return found;
}

function lines({ measured, drawn }) {
  return [
    ...measured.map((one) => line(told(one))),
    ...drawn.map(({ label, isStorable }) =>
      line({ label, value: "", place: isStorable ? words.segmentation : words.contours }),
    ),
  ];
}

function line({ label, value, place }) {
  const text = element("span", { className: "openpacs-what" }, element("b", {}, label), ` ${value}`);
  text.append(element("small", {}, place));
  return element("li", {}, text);
}

function ask(list) {
  return new Promise((resolve) => {
    let goes = false;
    const heading = list.drawn.length ? words.titleDrawn : words.title;
    const title = heading.replace("{count}", list.count);
    const { dialog, body } = openDialog({ name: DIALOG, title, onClose: () => resolve(goes) });
    const fault = element("p", { className: "openpacs-fault", role: "alert" });
    const action = ([text, run, className = ""]) => {
      const made = element("button", { type: "button", className }, text);
      made.addEventListener("click", async () => {
        try {
          await run();
          goes = true;
          dialog.close();
        } catch {
          fault.textContent = words.failed;
        }
      });
      return made;
    };
    const stay = element("button", { type: "button", className: "openpacs-quiet" }, words.stay);
    stay.addEventListener("click", () => dialog.close());
    const kept = ways(list).map(action);
    const drop = action([words.drop, () => {}, "openpacs-quiet"]);
    const choices = element("div", { className: "openpacs-choices" }, ...kept, drop, stay);
    body.classList.add("openpacs-choices");
    body.append(element("ul", {}, ...lines(list)), element("p", {}, words.question), choices, fault);
    (kept[0] ?? stay).focus();
  });
}

// Resolves to whether the viewer may go to other images; asks where something would be lost.
async function mayGo() {
  const list = wouldBeLost();
  if (list.count === 0) return true;
  asked ??= ask(list).finally(() => {
    asked = null;
  });
  const goes = await asked;
  if (goes) going = Date.now() + GOING_MS;
  return goes;
}

askBefore(mayGo);
watchHistory(() => wouldBeLost().count > 0);

// Where the page itself is left, the browser asks in its own words.
window.addEventListener("beforeunload", (event) => {
  if (wouldBeLost().count > 0) event.preventDefault();
});

export function enter(given) {
  context = given;
  going = 0;
}
