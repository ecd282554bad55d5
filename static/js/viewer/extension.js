// What openpacs adds to the viewer: loaded by it at run time, nothing is rebuilt.
//
// A part is a module of this folder that exports any of:
//   prepare(context)    awaited once, before the viewer makes its modes
//   commands(context)   { name: function(options) }, run by buttons, keys and other parts
//   buttons(context)    [{ id, section, props }], put into sections of the toolbar:
//                       "primary" (the bar itself) or "openpacsMore" (the menu at its end)
//   enter(context)      called each time a mode (basic, segmentation, ...) has been entered
//   leave(context)      called when it is left
// `context` is what the viewer gives its extensions: servicesManager, commandsManager,
// extensionManager, appConfig. Addresses, rights and words come with app-config.js:
// `openpacs.<part>`, made by apps/viewer/facts.py.

import * as layouts from "./layouts.js";
import * as navigation from "./navigation.js";
import * as prefetch from "./prefetch.js";

const parts = [navigation, prefetch];
import * as preferences from "./preferences.js";
import * as slab from "./slab.js";
import { arrange } from "./toolbar.js";
import * as windows from "./windows.js";

// In this order their buttons stand in the toolbar.
const parts = [navigation, slab, layouts, windows, preferences];
import * as keyImages from "./key-images.js";
import * as navigation from "./navigation.js";
import * as saving from "./saving.js";

const parts = [navigation, keyImages, saving];
import * as measurements from "./measurements.js";
import * as navigation from "./navigation.js";
import * as priors from "./priors.js";
import * as reading from "./reading.js";

const parts = [reading, navigation, measurements, priors];
const COMMANDS = "openpacs";
let context = null;

function commands(given) {
  return Object.assign({}, ...parts.map((part) => part.commands?.(given)));
}

const buttons = () => parts.flatMap((part) => part.buttons?.(context) ?? []);

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
  onModeEnter() {
    for (const part of parts) part.enter?.(context);
    // The mode fills its toolbar right after this, in the same turn: ours is put to it then.
    queueMicrotask(() => arrange(context.servicesManager.services.toolbarService, buttons()));
  },
  onModeExit() {
    for (const part of parts) part.leave?.(context);
  },
};
