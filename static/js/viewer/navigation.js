// Ways out of the viewer: back to the list one came from.
/* global openpacs */
const { home, words } = openpacs.navigation;

export const commands = () => ({
  openpacsHome: () => window.top.location.assign(home),
});

const button = {
  id: "openpacsHome",
  section: "primary",
  uiType: "ohif.toolButton",
  props: {
    icon: "tab-studies",
    label: words.home,
    tooltip: words.home,
    commands: { commandName: "openpacsHome", context: "openpacs" },
    evaluate: "evaluate.action",
  },
};

// Beside a report the page around leads back, and the toolbar has room for little.
export const buttons = () => (window.self === window.top ? [button] : []);
