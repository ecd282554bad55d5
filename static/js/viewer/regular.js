// Series that MPR and 3D would show wrongly: said so, kept from those layouts, made regular.
//
// What is irregular the server says, once for each study (apps/viewer/regular.py). The viewer
// itself calls a tilted series fit for MPR and draws it askew, so its mark is taken away here.
/* global openpacs */
import { post } from "./asking.js";
import { element } from "./elements.js";

const { irregular, make, progress, mayMake, words } = openpacs.regular;
const POLL_MS = 1000;
const MPR = "mpr";
const PLAIN = "default";
const WATCHED = ["ACTIVE_VIEWPORT_ID_CHANGED", "GRID_STATE_CHANGED", "VIEWPORTS_READY"];

let services = null;
let commandsManager = null;
let extensionManager = null;
let subscriptions = [];
let bar = null;
let poll = 0;
let wantsMpr = false; // somebody asked for MPR, and was kept from it
const asked = new Set(); // studies
const series = new Map(); // what the server says of the irregular ones, by Series Instance UID
const closed = new Set(); // notices that were read
const replaced = new Set(); // layouts in which the regular series was put once

const at = (address, uid) => address.replace("{uid}", uid);

async function answerOf(asked) {
  const response = await asked;
  const answer = await response.json().catch(() => ({}));
  if (response.status === 409) return { state: "failed", reason: answer.reason };
  if (!response.ok) return { state: "failed", reason: words.noAnswer };
  return answer;
}

async function learn(displaySets) {
  const studies = new Set(displaySets.map((one) => one.StudyInstanceUID).filter(Boolean));
  for (const study of studies) {
    if (asked.has(study)) continue;
    asked.add(study);
    const answer = await answerOf(fetch(at(irregular, study)));
    for (const found of answer.series ?? []) series.set(found.uid, { ...found, study });
  }
  mark();
  update();
}

function displaySetsOf(uid) {
  return services.displaySetService.getDisplaySetsForSeries(uid) ?? [];
}

// MPR and 3D are offered for what is reconstructable, and for nothing else.
function mark() {
  for (const uid of series.keys()) {
    for (const displaySet of displaySetsOf(uid)) displaySet.isReconstructable = false;
  }
}

function shownIn(viewport) {
  const uids = viewport?.displaySetInstanceUIDs ?? [];
  return uids.map((uid) => services.displaySetService.getDisplaySetByUID(uid)).filter(Boolean);
}

function viewports() {
  return [...services.viewportGridService.getState().viewports.values()];
}

const isVolume = (viewport) => /^volume|^orthographic/i.test(viewport.viewportOptions?.viewportType ?? "");

// An MPR or 3D layout that is empty, or shows what it should not: the regular series instead,
// or back to plain images until there is one.
function guard() {
  if (!series.size) return;
  const protocol = services.hangingProtocolService.getActiveProtocol()?.protocol?.id;
  const volumes = viewports().filter(isVolume);
  if (!protocol || protocol === PLAIN || !volumes.length) return;
  const shown = volumes.flatMap(shownIn).map((one) => series.get(one.SeriesInstanceUID));
  if (shown.length && !shown.some(Boolean)) return;
  const found = shown.find(Boolean) ?? [...series.values()].find((one) => one.regular);
  if (found?.regular && displaySetsOf(found.regular).length && !replaced.has(protocol)) {
    replaced.add(protocol);
    arrange(protocol, found);
    return;
  }
  wantsMpr = true;
  commandsManager.run("setHangingProtocol", { protocolId: PLAIN });
}

// A layout with the regular series in it.
function arrange(protocol, found) {
  const [displaySet] = displaySetsOf(found.regular);
  const chosen = { [`${found.study}:activeDisplaySet:0`]: [displaySet.displaySetInstanceUID] };
  services.hangingProtocolService.setProtocol(protocol, { displaySetSelectorMap: chosen });
}

function active() {
  const { activeViewportId, viewports: all } = services.viewportGridService.getState();
  const [displaySet] = shownIn(all.get(activeViewportId));
  return displaySet && series.get(displaySet.SeriesInstanceUID);
}

function madeNow() {
  const { activeViewportId, viewports: all } = services.viewportGridService.getState();
  const [displaySet] = shownIn(all.get(activeViewportId));
  if (!displaySet) return null;
  return [...series.values()].find((one) => one.fresh && one.regular === displaySet.SeriesInstanceUID);
}

function update() {
  if (!services) return;
  guard();
  const found = active();
  const fresh = found ? null : madeNow();
  const about = found ?? fresh;
  if (!about || closed.has(about.uid)) return hide();
  show(about, fresh ? [[words.mpr, () => showMpr(about)]] : actionsFor(about), !fresh);
  watch(found);
}

function actionsFor(found) {
  if (found.regular) {
    return [
      [words.show, () => showRegular(found)],
      [words.mpr, () => showMpr(found)],
    ];
  }
  if (!mayMake || found.cannot || isUnderWay(found)) return [];
  return [[found.state === "failed" ? words.again : words.make, () => begin(found)]];
}

const isUnderWay = (found) => found.state === "waiting" || found.state === "working";

function textsOf(found, isIrregular) {
  if (found.regular) return [isIrregular && found.words, words.made];
  if (isUnderWay(found)) return [found.words, words.making.replace("{percent}", found.percent)];
  if (found.state === "failed") return [found.words, words.failed.replace("{reason}", found.reason)];
  return [found.words, found.cannot];
}

async function begin(found) {
  Object.assign(found, { state: "waiting", percent: 0, began: true });
  update();
  await take(found, await answerOf(post(at(make, found.uid))));
}

async function take(found, answer) {
  Object.assign(found, answer);
  if (found.regular && found.began) {
    found.began = false;
    found.fresh = true;
    await load(found);
    if (wantsMpr) await showMpr(found);
    else await showRegular(found);
  }
  update();
}

function watch(found) {
  if (!found || !isUnderWay(found) || poll) return;
  poll = setTimeout(async () => {
    const answer = await answerOf(fetch(at(progress, found.uid)));
    poll = 0;
    await take(found, { ...answer, began: true });
  }, POLL_MS);
}

// Into the study that is open; where the viewer cannot, the page is opened anew.
async function load(found) {
  if (displaySetsOf(found.regular).length) return;
  const [source] = extensionManager.getActiveDataSource();
  const kept = [`${source.getConfig?.()?.name}:${found.study}`, found.study];
  try {
    for (const key of kept) source.deleteStudyMetadataPromise(key);
    const loads = await source.retrieve.series.metadata({
      StudyInstanceUID: found.study,
      filters: { seriesInstanceUID: [found.regular] },
      returnPromises: true,
    });
    await Promise.all(loads.map((one) => one.start()));
    for (const key of kept) source.deleteStudyMetadataPromise(key);
  } finally {
    if (!displaySetsOf(found.regular).length) location.reload();
  }
}

async function showRegular(found) {
  await load(found);
  const [displaySet] = displaySetsOf(found.regular);
  const viewportId = services.viewportGridService.getActiveViewportId();
  const shown = [displaySet.displaySetInstanceUID];
  commandsManager.run("setDisplaySetsForViewports", {
    viewportsToUpdate: [{ viewportId, displaySetInstanceUIDs: shown }],
  });
}

async function showMpr(found) {
  wantsMpr = false;
  closed.add(found.uid);
  await load(found);
  arrange(MPR, found);
  hide();
}

function hide() {
  bar?.remove();
  bar = null;
}

function show(found, actions, isIrregular) {
  const texts = textsOf(found, isIrregular).filter(Boolean);
  const state = JSON.stringify([found.uid, texts, actions.map(([label]) => label)]);
  if (bar?.dataset.state === state) return;
  hide();
  const close = () => {
    closed.add(found.uid);
    hide();
  };
  const buttons = [...actions, [words.close, close]].map(([label, act]) => button(label, act));
  const dataset = { state, cy: "openpacs-regular" };
  const shown = { dataset, role: "status", "aria-label": words.notice, style: BAR };
  bar = element("section", shown, element("p", {}, texts.join(" ")), ...buttons);
  document.body.append(bar);
}

function button(label, act) {
  const made = element("button", { type: "button", style: BUTTON }, label);
  made.addEventListener("click", act);
  return made;
}

const BAR = {
  position: "fixed",
  bottom: "2.5rem",
  left: "0",
  right: "0",
  margin: "0 auto",
  width: "fit-content",
  zIndex: "40",
  display: "flex",
  flexWrap: "wrap",
  alignItems: "center",
  gap: "0.5rem 0.75rem",
  maxWidth: "min(56rem, 90vw)",
  padding: "0.5rem 0.75rem",
  borderRadius: "0.5rem",
  border: "1px solid hsl(var(--input))",
  background: "hsl(var(--popover))",
  color: "hsl(var(--popover-foreground))",
  fontSize: "0.875rem",
};
const BUTTON = {
  padding: "0.25rem 0.75rem",
  borderRadius: "0.25rem",
  border: "1px solid hsl(var(--primary))",
  color: "hsl(var(--primary))",
  whiteSpace: "nowrap",
};

export function enter(context) {
  services = context.servicesManager.services;
  ({ commandsManager, extensionManager } = context);
  const { displaySetService, studyPrefetcherService, viewportGridService } = services;
  // At every change of the layout the prefetcher empties its queue, which is that of volumes,
  // too: slices of an MPR opened meanwhile would never come. So it gets a queue of its own.
  studyPrefetcherService.requestType = "compute";
  const { DISPLAY_SETS_ADDED } = displaySetService.EVENTS;
  subscriptions = [
    displaySetService.subscribe(DISPLAY_SETS_ADDED, ({ displaySetsAdded }) => learn(displaySetsAdded)),
    ...WATCHED.map((name) => viewportGridService.subscribe(viewportGridService.EVENTS[name], update)),
  ];
  learn(displaySetService.getActiveDisplaySets());
}

export function leave() {
  for (const { unsubscribe } of subscriptions) unsubscribe();
  clearTimeout(poll);
  poll = 0;
  subscriptions = [];
  services = null;
  hide();
}
