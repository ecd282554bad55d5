// What openpacs adds to the viewer: loaded by it at run time, nothing is rebuilt.
//
// A part is a module of this folder that exports any of:
//   commands(context)   { name: function(options) }, run by buttons, keys and other parts
//   buttons(context)    [{ id, section, props }], put into sections of the toolbar
//   enter(context)      called each time a mode (basic, segmentation, ...) has been entered
//   leave(context)      called when it is left
// `context` is what the viewer gives its extensions: servicesManager, commandsManager,
// extensionManager. Addresses, rights and words come with app-config.js: `openpacs.<part>`,
// made by apps/viewer/facts.py.

import * as navigation from "./navigation.js";
import * as printing from "./printing.js";
import * as reportPicture from "./report-picture.js";

const parts = [navigation, printing, reportPicture];
const COMMANDS = "openpacs";
let context = null;

function commands(given) {
  return Object.assign({}, ...parts.map((part) => part.commands?.(given)));
}

function putButtons() {
  const { toolbarService } = context.servicesManager.services;
  for (const { section, ...button } of parts.flatMap((part) => part.buttons?.(context) ?? [])) {
    toolbarService.register([button], true);
    const held = toolbarService.getButtonSection(section).map((one) => one.id);
    toolbarService.updateSection(section, [...held.filter((id) => id !== button.id), button.id]);
  }
}

export default {
  id: "openpacs",
  preRegistration(given) {
    context = given;
  },
  getCommandsModule: (given) => ({
    actions: {},
    definitions: Object.fromEntries(
      Object.entries(commands(given)).map(([name, commandFn]) => [name, { commandFn }]),
    ),
    defaultContext: COMMANDS,
  }),
  onModeEnter() {
    putButtons();
    for (const part of parts) part.enter?.(context);
  },
  onModeExit() {
    for (const part of parts) part.leave?.(context);
  },
};
