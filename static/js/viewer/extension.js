// What openpacs adds to the viewer: loaded by it at run time, nothing is rebuilt.
//
// A part is a module of this folder that exports any of:
//   prepare(context)    awaited once, before the viewer makes its modes
//   commands(context)   { name: function(options) }, run by buttons, keys and other parts
//   buttons(context)    [{ id, section, props }], put into sections of the toolbar:
//                       "primary" (the bar itself) or "openpacsMore" (the menu at its end)
//   panels(context)     [{ name, iconName, label, component }], tabs of the right side
//   enter(context)      called each time a mode (basic, segmentation, ...) has been entered
//   leave(context)      called when it is left
// `context` is what the viewer gives its extensions: servicesManager, commandsManager,
// extensionManager, appConfig. Addresses, rights and words come with app-config.js:
// `openpacs.<part>`, made by apps/viewer/facts.py.

import * as compiled from "./compiled.js";
import * as documents from "./documents.js";
import * as drawing from "./drawing.js";
import * as givenWindows from "./given-windows.js";
import * as hotkeys from "./hotkeys.js";
import * as keyImages from "./key-images.js";
import * as layouts from "./layouts.js";
import * as leaving from "./leaving.js";
import * as measurements from "./measurements.js";
import * as navigation from "./navigation.js";
import * as preferences from "./preferences.js";
import * as prefetch from "./prefetch.js";
import * as printing from "./printing.js";
import * as priors from "./priors.js";
import * as reading from "./reading.js";
import * as regular from "./regular.js";
import * as reportPicture from "./report-picture.js";
import * as saving from "./saving.js";
import * as segmentations from "./segmentations.js";
import * as slab from "./slab.js";
import * as threed from "./threed.js";
import { arrange } from "./toolbar.js";
import * as tracking from "./tracking.js";
import * as unsaved from "./unsaved.js";
import * as windows from "./windows.js";

// In this order their buttons stand in the toolbar.
const parts = [
  ...[reading, navigation, priors, measurements, tracking, prefetch, saving],
  ...[segmentations, leaving, unsaved],
  ...[keyImages, reportPicture, slab, layouts, windows, printing, threed, regular],
  ...[documents, preferences, compiled, drawing, givenWindows, hotkeys],
];
const COMMANDS = "openpacs";
let context = null;

function commands(given) {
  return Object.assign({}, ...parts.map((part) => part.commands?.(given)));
}

const buttons = () => parts.flatMap((part) => part.buttons?.(context) ?? []);

const panels = (given) => parts.flatMap((part) => part.panels?.(given) ?? []);

function putPanels() {
  const { panelService } = context.servicesManager.services;
  const held = panelService.getPanels("right").map((one) => one.id);
  for (const { name } of panels(context)) {
    const id = `${COMMANDS}.panelModule.${name}`;
    if (!held.includes(id)) panelService.addPanel("right", id);
  }
}

export default {
  id: "openpacs",
  async preRegistration(given) {
    context = given;
    await Promise.all(parts.map((part) => part.prepare?.(given)));
  },
  getCommandsModule: (given) => ({
    actions: {},
    definitions: Object.fromEntries(
      Object.entries(commands(given)).map(([name, commandFn]) => [name, { commandFn }]),
    ),
    defaultContext: COMMANDS,
  }),
  getPanelModule: panels,
  onModeEnter() {
    // The mode sets its own panels right after this, in the same turn: ours come behind them.
    queueMicrotask(putPanels);
    for (const part of parts) part.enter?.(context);
    // The mode fills its toolbar right after this, in the same turn: ours is put to it then.
    queueMicrotask(() => arrange(context.servicesManager.services.toolbarService, buttons()));
  },
  onModeExit() {
    for (const part of parts) part.leave?.(context);
  },
};
