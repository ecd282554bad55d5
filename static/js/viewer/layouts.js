// Layouts of one's own: kept, listed, and used by themselves when a study like it is opened.
/* global openpacs */
import { ask, labelled, openDialog, tell, ticked } from "./dialogs.js";
import { element } from "./elements.js";
import {
  addAttributes,
  capture,
  protocolId,
  protocolOf,
  showsPrior,
  withoutWindows,
} from "./hanging.js";
import { button } from "./toolbar.js";

const { address, mayShare, words } = openpacs.layouts;
const DIALOG = "openpacs-layouts";
const MODE = "@ohif/mode-longitudinal";
const USUAL = "default";
const VALUES_MEAN_SOMETHING = ["CT"]; // windows fit from study to study
const asked = new URLSearchParams(location.search);
const studies = asked.getAll("StudyInstanceUIDs").flatMap((uids) => uids.split(","));
const [studyUid] = studies;
// The best first; of the study the page was opened with.
let fitting = { layouts: [], modalities: [], procedures: [], prior: null };

// The best one wins by its weight; what cannot be filled leaves the viewer's own.
const opening = () => fitting.layouts.filter((row) => row.isDefault);

async function learn() {
  if (!studyUid) return;
  try {
    fitting = await ask(`${address}?study=${encodeURIComponent(studyUid)}`);
  } catch (error) {
    console.warn("openpacs: no layouts", error.message);
  }
}

/** Open the prior with the study, where the layout to be used shows one. */
function fetchPrior() {
  const [best] = opening();
  const alone = studies.length === 1 && !asked.has("hangingProtocolId");
  if (!best || !alone || !fitting.prior || !showsPrior(best)) return false;
  asked.set("StudyInstanceUIDs", `${studyUid},${fitting.prior}`);
  location.replace(`${location.pathname}?${asked}`);
  return true;
}

export async function prepare({ appConfig }) {
  await learn();
  if (fetchPrior()) await new Promise(() => {}); // the page is being left
  const ids = [USUAL, ...opening().map(protocolId)];
  const modes = (appConfig.modesConfiguration ??= {});
  modes[MODE] = { ...modes[MODE], hangingProtocol: { $set: ids } };
}

export function enter({ servicesManager }) {
  const { hangingProtocolService } = servicesManager.services;
  addAttributes(hangingProtocolService);
  for (const row of fitting.layouts) register(hangingProtocolService, row);
}

function register(hangingProtocolService, row) {
  hangingProtocolService.protocols.delete(protocolId(row)); // a changed one comes again
  hangingProtocolService.addProtocol(protocolId(row), protocolOf(row, studyUid));
}

function use({ servicesManager }, id) {
  try {
    servicesManager.services.hangingProtocolService.setProtocol(id);
  } catch {
    tell({ servicesManager }, words.title, words.failed, "error");
  }
}

async function remove(context, row, redraw) {
  try {
    await ask(`${address}${row.key}/remove/`, {});
    fitting.layouts = fitting.layouts.filter((other) => other !== row);
    tell(context, words.title, words.removed);
  } catch (error) {
    tell(context, words.title, error.message, "error");
  }
  redraw();
}

async function save(context, sent) {
  const row = await ask(address, sent);
  const former = (one) => one.key === row.key;
  const alike = (one) => one.modality === row.modality && one.procedure === row.procedure;
  for (const one of fitting.layouts) {
    if (row.isDefault && alike(one) && one.everybody === row.everybody) one.isDefault = false;
  }
  fitting.layouts = [row, ...fitting.layouts.filter((one) => !former(one))];
  register(context.servicesManager.services.hangingProtocolService, row);
  tell(context, row.name, words.saved);
}

function about(row) {
  const parts = [row.procedure || row.modality];
  if (row.everybody) parts.push(words.everybody);
  if (row.isDefault) parts.push(words.opens);
  return parts.filter(Boolean).join(" · ");
}

function line(context, { name, note, id, row }, redraw, close) {
  const text = element("span", { className: "openpacs-what" }, element("b", {}, name), element("small", {}, note));
  const take = element("button", { type: "button" }, words.apply);
  take.addEventListener("click", () => {
    close();
    use(context, id);
  });
  if (!row?.mayRemove) return element("li", {}, text, take);
  const drop = element("button", { type: "button", className: "openpacs-quiet" }, words.remove);
  drop.addEventListener("click", () => remove(context, row, redraw));
  return element("li", {}, text, take, drop);
}

function list(context, redraw, close) {
  const kept = fitting.layouts.map((row) => ({ name: row.name, note: about(row), id: protocolId(row), row }));
  const all = [...kept, { name: words.usual, note: "", id: USUAL }];
  return element("ul", {}, ...all.map((one) => line(context, one, redraw, close)));
}

/** For which studies: this modality, or one of the procedures of the study. */
function kinds(modality) {
  const named = [["modality", "", words.modality.replace("%(modality)s", modality)]];
  for (const { key, meaning } of fitting.procedures) {
    named.push(["procedure", key, words.procedure.replace("%(procedure)s", meaning)]);
  }
  const boxes = named.map(([, value, text], at) => {
    const box = element("input", { type: "radio", name: "kind", value });
    box.checked = at === 0;
    return ticked(text, box);
  });
  return element("fieldset", {}, element("legend", {}, words.for), ...boxes);
}

function tick(name, checked) {
  return element("input", { type: "checkbox", name, checked });
}

function modalityOf(layout) {
  const shown = layout.viewports.flatMap((viewport) => viewport.series);
  return shown.map((series) => series.modality).find(Boolean) ?? fitting.modalities[0] ?? "";
}

const isOblique = ({ kind, orientation }) => kind === "volume" && orientation === "acquisition";

function form(context, close) {
  const captured = () => capture(context.servicesManager.services, studyUid);
  const shown = captured();
  const modality = modalityOf(shown);
  const fields = [
    labelled(words.name, element("input", { type: "text", name: "name", maxLength: 64, required: true })),
    kinds(modality),
    ticked(words.isDefault, tick("is_default", true)),
    ticked(words.windows, tick("windows", VALUES_MEAN_SOMETHING.includes(modality))),
  ];
  if (mayShare) fields.push(ticked(words.forEverybody, tick("for_everybody", false)));
  if (shown.viewports.some(isOblique)) fields.push(element("p", {}, words.oblique));
  const fault = element("p", { className: "openpacs-fault", role: "alert" });
  const send = element("button", { type: "submit" }, words.save);
  const made = element("form", {}, element("h3", {}, words.saveTitle), ...fields, fault, send);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = new FormData(made);
    const layout = captured();
    try {
      await save(context, {
        name: given.get("name"),
        modality,
        procedure: given.get("kind") || null,
        is_default: given.has("is_default"),
        for_everybody: given.has("for_everybody"),
        layout: given.has("windows") ? layout : withoutWindows(layout),
      });
      close();
    } catch (error) {
      fault.textContent = error.message;
    }
  });
  return made;
}

function open(context) {
  const made = openDialog({ name: DIALOG, title: words.title });
  if (!made) return;
  const close = () => made.dialog.close();
  const held = element("div");
  const redraw = () => held.replaceChildren(list(context, redraw, close));
  redraw();
  made.body.append(held, form(context, close));
  made.body.querySelector("input").focus();
}

export const commands = (context) => ({ openpacsLayouts: () => open(context) });

export const buttons = () => [
  button({ id: "openpacsLayouts", section: "primary", icon: "layout-advanced-axial-primary", label: words.title }),
];

export const leave = () => document.getElementById(DIALOG)?.close();
