// The order of the toolbar, and what goes into menus: it has to fit beside a report (900 px).
const PRIMARY = "primary";
const MORE = "openpacsMore";
// Seldom used: from the bar into the viewer's own menu.
const MOVED = { Capture: "MoreTools" };
// Tools of certain viewports take room only where they work.
const ONLY_WHERE_USEFUL = ["Crosshairs", "TrackballRotate"];

const menu = { id: MORE, uiType: "ohif.toolButtonList", props: { buttonSection: true } };

/** Put our buttons to those of the mode; done again, it changes nothing. */
export function arrange(toolbarService, buttons) {
  toolbarService.register([menu, ...buttons.map(({ section, ...button }) => button)], true);
  const held = idsOf(toolbarService, PRIMARY);
  const moved = held.filter((id) => MOVED[id] && idsOf(toolbarService, MOVED[id]).length);
  for (const id of moved) put(toolbarService, MOVED[id], [id]);
  for (const section of new Set(buttons.map((button) => button.section))) {
    if (section !== PRIMARY) put(toolbarService, section, idsIn(buttons, section));
  }
  const ours = idsIn(buttons, PRIMARY);
  const theirs = held.filter((id) => ![MORE, ...ours, ...moved].includes(id));
  toolbarService.clearButtonSection(PRIMARY);
  put(toolbarService, PRIMARY, [...theirs, ...ours, MORE]);
  for (const id of ONLY_WHERE_USEFUL) hideWhereUseless(toolbarService.getButton(id));
}

function idsIn(buttons, section) {
  return buttons.filter((button) => button.section === section).map((button) => button.id);
}

function idsOf(toolbarService, section) {
  return toolbarService.getButtonSection(section).map((button) => button.id);
}

function put(toolbarService, section, ids) {
  const held = idsOf(toolbarService, section);
  toolbarService.updateSection(section, [...new Set([...held, ...ids])]);
}

function hideWhereUseless(button) {
  if (button) button.props.hideWhenDisabled = true;
}

/** A button of ours. More properties are the viewer's: `evaluate`, `hideWhenDisabled`. */
export function button({ id, section, icon, label, ...props }) {
  return {
    id,
    section,
    uiType: "ohif.toolButton",
    props: {
      icon,
      label,
      tooltip: label,
      commands: { commandName: id, context: "openpacs" },
      evaluate: "evaluate.action",
      ...props,
    },
  };
}
