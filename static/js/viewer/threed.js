// Other places for what is on the screen: the 3D workstation, programs on this desk, devices.
/* global openpacs */
const { workstation, send, launch, launchers, words } = openpacs.threed;

function shown({ servicesManager }) {
  const { viewportGridService, displaySetService } = servicesManager.services;
  const { activeViewportId, viewports } = viewportGridService.getState();
  const uid = viewports.get(activeViewportId)?.displaySetInstanceUIDs?.[0];
  return uid && displaySetService.getDisplaySetByUID(uid);
}

function openWorkstation(context) {
  const { StudyInstanceUID, SeriesInstanceUID } = shown(context) ?? {};
  if (!StudyInstanceUID) return;
  const series = new URLSearchParams({ series: SeriesInstanceUID });
  window.open(`${workstation}${encodeURIComponent(StudyInstanceUID)}/?${series}`, "openpacs-workstation");
}

// The answer names the address: its scheme is the program's, so that it is no redirection.
async function startProgram(address, notice) {
  const headers = { "X-CSRFToken": openpacs.site.csrfToken };
  const response = await fetch(address, { method: "POST", headers });
  const target = response.headers.get("HX-Redirect");
  if (target) window.location.assign(target);
  notice.textContent = target ? words.started : words.failed;
}

function made(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

// A dialog of the browser's, which holds the focus.
function openElsewhere(context) {
  const study = shown(context)?.StudyInstanceUID;
  if (!study) return;
  const uid = encodeURIComponent(study);
  const className = "border-primary text-foreground block w-full rounded border p-2 text-left";
  const notice = made("p", { role: "status" });
  const choose = (text, onclick) =>
    made("button", { className, type: "button", textContent: text, onclick });
  const choices = [
    choose(words.workstation, () => {
      dialog.remove();
      openWorkstation(context);
    }),
  ];
  if (send) {
    const toDevice = { className, target: "openpacs-sending", textContent: words.send };
    const onclick = () => dialog.remove();
    choices.push(made("a", { ...toDevice, onclick, href: `${send}${uid}/` }));
  }
  for (const { name, key } of launchers) {
    choices.push(choose(name, () => startProgram(`${launch}${uid}/${key}/`, notice)));
  }
  const title = made("h2", { className: "text-lg", textContent: words.elsewhere });
  const dialog = made(
    "dialog",
    { className: "bg-popover text-foreground m-auto w-80 space-y-2 rounded p-4" },
    title,
    ...choices,
    notice,
    choose(words.close, () => dialog.remove()),
  );
  dialog.setAttribute("aria-label", words.elsewhere);
  // The viewer has keys of its own, and would keep Escape from the dialog.
  dialog.onkeydown = (event) => {
    event.stopPropagation();
    if (event.key === "Escape") dialog.remove();
  };
  document.body.append(dialog);
  dialog.showModal();
}

// The icon of the workstation is half as large as those beside it.
const size = "[data-cy=openpacsWorkstation] svg { width: 24px; height: 24px }";
document.head.append(made("style", { textContent: size }));

export const commands = (context) => ({
  openpacsWorkstation: () => openWorkstation(context),
  openpacsElsewhere: () => openElsewhere(context),
});

const button = (id, icon, label) => ({
  id,
  section: "primary",
  uiType: "ohif.toolButton",
  props: {
    icon,
    label,
    tooltip: label,
    commands: { commandName: id, context: "openpacs" },
    evaluate: "evaluate.action",
  },
});

// Beside a report there is room for one: its dialog has the workstation, too.
const framed = window.self !== window.top;

export const buttons = () => [
  ...(framed ? [] : [button("openpacsWorkstation", "icon-mpr", words.workstation)]),
  ...(framed || send || launchers.length
    ? [button("openpacsElsewhere", "icon-link", words.elsewhere)]
    : []),
];
