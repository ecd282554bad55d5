// What openpacs adds to the viewer: loaded by it at run time, nothing is rebuilt.
//
// A part is a module of this folder that exports any of:
//   commands(context)   { name: function(options) }, run by buttons, keys and other parts
//   buttons(context)    [{ id, section, props }], put into sections of the toolbar
//   panels(context)     [{ name, iconName, label, component }], tabs of the right side
//   enter(context)      called each time a mode (basic, segmentation, ...) has been entered
//   leave(context)      called when it is left
// `context` is what the viewer gives its extensions: servicesManager, commandsManager,
// extensionManager. Addresses, rights and words come with app-config.js: `openpacs.<part>`,
// made by apps/viewer/facts.py.

import * as documents from "./documents.js";
import * as navigation from "./navigation.js";

const parts = [navigation, documents];
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
  getPanelModule: panels,
  onModeEnter() {
    putButtons();
    // The mode sets its own panels right after this, in the same turn: ours come behind them.
    queueMicrotask(putPanels);
    for (const part of parts) part.enter?.(context);
  },
  onModeExit() {
    for (const part of parts) part.leave?.(context);
  },
};
