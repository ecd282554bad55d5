// Window presets of one's own: in the viewer's window menu, after its own, and on its keys.
/* global openpacs */
import { labelled, openDialog, tell } from "./dialogs.js";
import { element } from "./elements.js";
import { windowOf } from "./hanging.js";
import { keep } from "./preferences.js";
import { button } from "./toolbar.js";

const { words } = openpacs.windows;
const DIALOG = "openpacs-windows";
const MENU = "cornerstone.windowLevelPresets";
const KEYS = "ohif.hotkeyBindings";
const THEIRS = "setWindowLevelPreset";
const LAST_KEY = 9;
let own = openpacs.preferences.windows;
let usual = {};

const fill = (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);
const said = ({ width, center }) => fill(words.value, { width: Math.round(width), center: Math.round(center) });

/** The viewer's presets of each modality, followed by one's own. */
function merged() {
  const all = { ...usual };
  for (const { name, modality, width, center } of own) {
    const preset = { id: `openpacs-${name}`, description: name, window: String(width), level: String(center) };
    all[modality] = [...(all[modality] ?? []), preset];
  }
  return all;
}

function fillMenu({ customizationService }) {
  customizationService.setCustomizations({ [MENU]: { $set: merged() } });
}

// Keys 1 to 9 go by the place in the menu. The viewer's own command knows four, and fails at
// a place with nothing in it.
function fillKeys({ customizationService }) {
  const given = customizationService.getCustomization(KEYS) ?? [];
  const others = given.filter((one) => one.commandName !== THEIRS);
  const ours = Array.from({ length: LAST_KEY }, (_, place) => ({
    commandName: "openpacsWindow",
    commandOptions: { place },
    context: "openpacs",
    label: fill(words.preset, { number: place + 1 }),
    keys: [String(place + 1)],
    isEditable: true,
  }));
  customizationService.setCustomizations({ [KEYS]: { $set: [...others, ...ours] } });
}

/** The active viewport, the modality of what it shows, and its window; null without one. */
function active(context) {
  const { cornerstoneViewportService, displaySetService, viewportGridService } =
    context.servicesManager.services;
  const id = viewportGridService.getActiveViewportId();
  const viewport = cornerstoneViewportService.getCornerstoneViewport(id);
  const [uid] = viewportGridService.getDisplaySetsUIDsForViewport(id) ?? [];
  const shown = windowOf(viewport);
  if (!shown || !uid) return null;
  return { id, modality: displaySetService.getDisplaySetByUID(uid).Modality, ...shown };
}

function use(context, { width, center }) {
  const shown = active(context);
  if (!shown) return;
  const options = { viewportId: shown.id, windowWidth: width, windowCenter: center };
  context.commandsManager.runCommand("setViewportWindowLevel", options);
}

function usePlace(context, place) {
  const preset = merged()[active(context)?.modality]?.[place];
  if (preset) use(context, { width: Number(preset.window), center: Number(preset.level) });
}

async function change(context, wanted) {
  try {
    await keep({ windows: wanted });
    own = wanted;
    fillMenu(context.servicesManager.services);
  } catch (error) {
    tell(context, words.title, error.message, "error");
  }
}

function keyOf(one) {
  const place = merged()[one.modality].findIndex((preset) => preset.id === `openpacs-${one.name}`);
  return place < LAST_KEY ? fill(words.key, { key: place + 1 }) : "";
}

function row(context, one, redraw) {
  const about = [one.modality, said(one), keyOf(one)].filter(Boolean).join(" · ");
  const text = element("span", { className: "openpacs-what" }, element("b", {}, one.name), element("small", {}, about));
  const take = element("button", { type: "button" }, words.use);
  const drop = element("button", { type: "button", className: "openpacs-quiet" }, words.remove);
  take.addEventListener("click", () => use(context, one));
  drop.addEventListener("click", async () => {
    await change(context, own.filter((other) => other !== one));
    redraw();
  });
  return element("li", {}, text, take, drop);
}

function form(context, redraw) {
  const now = active(context);
  if (!now) return element("p", {}, words.noImage);
  const name = element("input", { type: "text", maxLength: 40, required: true });
  const send = element("button", { type: "submit" }, words.add);
  const about = element("p", {}, `${now.modality} · ${said(now)}`);
  const made = element("form", {}, element("h3", {}, words.addTitle), about, labelled(words.name, name), send);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { modality, width, center } = now;
    const others = own.filter((one) => one.name !== name.value || one.modality !== modality);
    await change(context, [...others, { name: name.value, modality, width, center }]);
    redraw();
  });
  return made;
}

function open(context) {
  const made = openDialog({ name: DIALOG, title: words.title, modal: false });
  if (!made) return;
  const redraw = () => {
    const rows = own.map((one) => row(context, one, redraw));
    const list = rows.length ? element("ul", {}, ...rows) : element("p", {}, words.none);
    made.body.replaceChildren(list, form(context, redraw));
    made.body.querySelector("input")?.focus();
  };
  redraw();
}

export const commands = (context) => ({
  openpacsWindows: () => open(context),
  openpacsWindow: ({ place }) => usePlace(context, place),
});

export const buttons = () => [
  button({ id: "openpacsWindows", section: "openpacsMore", icon: "tool-window-region", label: words.title }),
];

export function enter(context) {
  const { services } = context.servicesManager;
  usual = services.customizationService.getCustomization(MENU) ?? {};
  fillMenu(services);
  fillKeys(services);
}

export const leave = () => document.getElementById(DIALOG)?.close();
