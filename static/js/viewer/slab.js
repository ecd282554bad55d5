// Thick slabs of MPR viewports: maximum, minimum or average over some millimetres.
/* global openpacs */
import { labelled, openDialog, ticked } from "./dialogs.js";
import { element } from "./elements.js";
import { button } from "./toolbar.js";

const { words } = openpacs.slab;
const DIALOG = "openpacs-slab";
const HABIT = "openpacs:slab"; // the thickness chosen last
const [LEAST, MOST, STEP, USUAL] = [0.5, 100, 0.5, 10];
// cornerstone's Enums.BlendModes
const BLENDS = { none: 0, mip: 1, minip: 2, avg: 3 };

/** The viewport a person works in, if it shows a volume in slices. */
function activeVolume(context, viewportId) {
  const { viewportGridService, cornerstoneViewportService } = context.servicesManager.services;
  const id = viewportId ?? viewportGridService.getActiveViewportId();
  const viewport = cornerstoneViewportService.getCornerstoneViewport(id);
  return viewport?.type === "orthographic" ? viewport : null;
}

export function blendOf(viewport) {
  const mode = viewport.getBlendMode?.() ?? 0;
  return Object.keys(BLENDS).find((name) => BLENDS[name] === mode) ?? "none";
}

function apply(viewport, blend, thickness) {
  viewport.setBlendMode(BLENDS[blend]);
  if (blend === "none") viewport.resetSlabThickness();
  else viewport.setSlabThickness(thickness);
  viewport.render();
}

function choices(chosen) {
  return ["none", "mip", "minip", "avg"].map((blend) => {
    const box = element("input", { type: "radio", name: DIALOG, value: blend });
    box.checked = blend === chosen;
    return ticked(words[blend], box);
  });
}

function slider() {
  const kept = Number(localStorage.getItem(HABIT)) || USUAL;
  const range = { type: "range", min: LEAST, max: MOST, step: STEP, value: kept };
  return [element("input", range), element("input", { ...range, type: "number" })];
}

function open(context) {
  const unsubscribe = [];
  const made = openDialog({
    name: DIALOG,
    title: words.title,
    modal: false,
    onClose: () => unsubscribe.forEach((one) => one.unsubscribe()),
  });
  if (!made) return;
  const [range, number] = slider();
  const group = element("div", { className: "openpacs-row", role: "radiogroup" });
  group.setAttribute("aria-label", words.title);
  number.setAttribute("aria-label", words.thickness);
  made.body.append(group, labelled(words.thickness, element("span", { className: "openpacs-row" }, range, number)));

  const show = () => {
    const viewport = activeVolume(context);
    if (!viewport) return made.dialog.close();
    const blend = blendOf(viewport);
    group.replaceChildren(...choices(blend));
    if (blend !== "none") range.value = number.value = viewport.getSlabThickness();
  };
  const change = () => {
    const blend = group.querySelector("input:checked").value;
    const viewport = activeVolume(context);
    if (viewport) apply(viewport, blend, Number(range.value));
  };
  const slide = (from, to) => () => {
    to.value = from.value;
    // Whoever draws at the slider wants to see a slab.
    const none = group.querySelector("input[value=none]");
    if (none.checked) group.querySelector("input[value=mip]").checked = true;
    change();
  };
  group.addEventListener("change", change);
  range.addEventListener("input", slide(range, number));
  number.addEventListener("change", slide(number, range));
  made.dialog.addEventListener("change", () => localStorage.setItem(HABIT, range.value));
  const { viewportGridService } = context.servicesManager.services;
  const { ACTIVE_VIEWPORT_ID_CHANGED, GRID_STATE_CHANGED } = viewportGridService.EVENTS;
  for (const event of [ACTIVE_VIEWPORT_ID_CHANGED, GRID_STATE_CHANGED]) {
    unsubscribe.push(viewportGridService.subscribe(event, show));
  }
  show();
  group.querySelector("input:checked")?.focus();
}

export const commands = (context) => ({ openpacsSlab: () => open(context) });

export const buttons = (context) => [
  button({
    id: "openpacsSlab",
    section: "primary",
    icon: "icon-tool-interpolation",
    label: words.title,
    hideWhenDisabled: true,
    evaluate: ({ viewportId }) => ({ disabled: !activeVolume(context, viewportId) }),
  }),
];

export const leave = () => document.getElementById(DIALOG)?.close();
