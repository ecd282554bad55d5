// Ways out of the viewer: to the list one came from, to the report, to the next exam.
/* global openpacs */
import { aboutStudy, currentStudy, isFreeToGo, narrowing, open, openDesk, send } from "./reading.js";
import { prefetchStudy } from "./prefetch.js";
import { button, key } from "./strip.js";

const { home, next, words } = openpacs.navigation;
const REPORT = "openpacs-report";
const framed = window.self !== window.top;
const AHEAD_MS = 15_000; // into a study, what comes next is fetched; its own images come first
let services = null;
let ahead = 0;

async function goHome() {
  if (await isFreeToGo()) window.top.location.assign(home);
}

// The page of a report leads where there is one; else the viewer goes on by itself.
async function goOn() {
  if (!next) return;
  const desk = openDesk();
  if (desk) {
    if (await isFreeToGo()) send({ kind: "next", to: desk.from });
    return;
  }
  const studies = await nextStudies();
  if (studies.length) open(studies);
  else services.uiNotificationService.show({ title: words.next, message: words.none, type: "info" });
}

async function nextStudies() {
  const query = narrowing();
  query.set("after", currentStudy());
  const response = await fetch(`${next}?${query}`);
  return response.ok ? (await response.json()).studies : [];
}

async function fetchAhead() {
  try {
    for (const study of await nextStudies()) await prefetchStudy(study);
  } catch {
    // Nobody has asked for it yet.
  }
}

// In its frame beside the report one is there already.
async function goToReport() {
  const { report } = (await aboutStudy(currentStudy())) ?? {};
  if (!report) return;
  if (framed) {
    window.parent.focus();
    window.parent.document.querySelector("[data-section='findings']")?.focus();
    return;
  }
  const there = window.open("", REPORT);
  if (there.location.pathname === report) there.focus();
  else there.location.assign(report);
}

export const commands = () => ({
  openpacsHome: goHome,
  openpacsNext: goOn,
  openpacsReport: goToReport,
});

export function enter({ servicesManager }) {
  if (next) ahead = setTimeout(fetchAhead, AHEAD_MS);
  if (services) return;
  services = servicesManager.services;
  key("H", goHome);
  key("R", goToReport);
  key("N", goOn);
  // In the frame the page around it has the list and the report.
  if (!framed) button("openpacs-home", { label: words.home, title: words.homeHint, run: goHome });
  if (!next) return;
  if (!framed) {
    button("openpacs-report", { label: words.report, title: words.reportHint, run: goToReport });
  }
  button("openpacs-next", { label: words.next, title: words.nextHint, run: goOn });
}

export function leave() {
  clearTimeout(ahead);
}
