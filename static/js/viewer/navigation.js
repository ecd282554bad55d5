// Ways out of the viewer: back to the list one came from.
/* global openpacs */
const { home, words } = openpacs.navigation;

export const commands = () => ({
  openpacsHome: () => window.top.location.assign(home),
});

export const buttons = () => [
  {
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
  },
];
