// Other places for what is on the screen: the 3D workstation, programs on this desk, devices.
/* global openpacs */
import { post } from "./asking.js";
import { openDialog } from "./dialogs.js";
import { element } from "./elements.js";
import { button } from "./toolbar.js";

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
  const response = await post(address);
  const target = response.headers.get("HX-Redirect");
  if (target) window.location.assign(target);
  notice.textContent = target ? words.started : words.failed;
}

function openElsewhere(context) {
  const study = shown(context)?.StudyInstanceUID;
  const opened = study && openDialog({ name: "openpacs-elsewhere", title: words.elsewhere });
  if (!opened) return;
  const { dialog, body } = opened;
  const uid = encodeURIComponent(study);
  const notice = element("p", { role: "status" });
  const choose = (text, onclick) => element("button", { type: "button", onclick }, text);
  const leave = (run) => () => {
    dialog.close();
    run();
  };
  const choices = [choose(words.workstation, leave(() => openWorkstation(context)))];
  if (send) {
    const toDevice = () => window.open(`${send}${uid}/`, "openpacs-sending");
    choices.push(choose(words.send, leave(toDevice)));
  }
  for (const { name, key } of launchers) {
    choices.push(choose(name, () => startProgram(`${launch}${uid}/${key}/`, notice)));
  }
  body.append(element("div", { className: "openpacs-choices" }, ...choices), notice);
}

export const commands = (context) => ({
  openpacsWorkstation: () => openWorkstation(context),
  openpacsElsewhere: () => openElsewhere(context),
});

// Beside a report there is room for one: its dialog has the workstation, too.
const framed = window.self !== window.top;
const section = "primary";

export const buttons = () => [
  ...(framed ? [] : [button({ id: "openpacsWorkstation", section, icon: "icon-mpr", label: words.workstation })]),
  ...(framed || send || launchers.length
    ? [button({ id: "openpacsElsewhere", section, icon: "icon-link", label: words.elsewhere })]
    : []),
];
