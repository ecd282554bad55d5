// The viewer beside a report: it says what it shows, and shows what the report's page asks for.
/* global openpacs */
import { join } from "../reading-channel.js";
import { showIdentities } from "./strip.js";

const { about } = openpacs.reading;
const COMPARING = "openpacs-compare"; // as apps/viewer/views.py has it
const DESK_MS = 20_000; // the page of a report greets more often than that
const framed = window.self !== window.top;
const known = new Map(); // study -> what the server says about it, once it has
const greeted = []; // run when a page asks what there is: parts add what they tell
const listeners = new Map(); // kind of message -> what a part does with it
let mayGo = async () => true; // other images may be shown
let context = null; // while a mode is entered
let subscriptions = [];
let studies = [];
let waiting = false;
let desk = null; // the page that greeted last: { from, narrowed, at }

const channel = join("viewer", receive, {
  frame: framed ? window.frameElement?.name || "elsewhere" : "",
  window: framed ? "" : window.name,
});

export function send(message) {
  channel.send(message);
}

export function whenGreeted(run) {
  greeted.push(run);
}

export function whenTold(kind, run) {
  listeners.set(kind, run);
}

// `ask` resolves to whether other images may be shown.
export function askBefore(ask) {
  mayGo = ask;
}

export const isFreeToGo = () => mayGo();

// The page of a report that is open in this browser, as far as it is known.
export function openDesk() {
  return desk && Date.now() - desk.at < DESK_MS ? desk : null;
}

// What the reading list was narrowed to, by the page of a report that greeted last.
export function narrowing() {
  return new URLSearchParams(desk?.narrowed ?? "");
}

// The study of the image that is worked on.
export function currentStudy() {
  const { viewportGridService } = context.servicesManager.services;
  return studyOf(viewportGridService.getActiveViewportId()) ?? studies[0];
}

export function aboutStudy(uid) {
  if (!known.has(uid)) known.set(uid, load(uid));
  return known.get(uid);
}

// Show other studies from scratch; the viewer itself stays as it is loaded.
export async function open(uids, protocol = "") {
  if (!(await mayGo())) return;
  const query = new URLSearchParams({ StudyInstanceUIDs: uids.join(",") });
  if (protocol) query.set("hangingProtocolId", protocol);
  const to = `/viewer?${query}`;
  if (context) context.commandsManager.runCommand("navigateHistory", { to });
  else location.assign(`${openpacs.site.base}viewer?${query}`);
}

// Show studies of the patient who is open: what was measured and not stored yet stays.
export async function show(uids) {
  const protocol = uids.length > 1 ? COMPARING : "default";
  if (!context) {
    open(uids, protocol);
    return;
  }
  const { hangingProtocolService, displaySetService } = context.servicesManager.services;
  for (const StudyInstanceUID of uids) {
    await context.commandsManager.runCommand("loadStudy", { StudyInstanceUID });
  }
  const held = hangingProtocolService.studies;
  const wanted = uids.map(
    (uid) => held.find((one) => one.StudyInstanceUID === uid) ?? { StudyInstanceUID: uid },
  );
  const displaySets = displaySetService.getActiveDisplaySets();
  hangingProtocolService.run({ studies: wanted, displaySets, activeStudy: wanted[0] }, protocol);
}

// OHIF's own protocol begins with four places, of which two stay empty.
function addProtocol({ hangingProtocolService }) {
  const given = hangingProtocolService.getProtocolById("@ohif/hpCompare");
  const stages = given?.stages.filter((stage) => stage.name === "2x1");
  if (stages?.length) hangingProtocolService.addProtocol(COMPARING, { ...given, id: COMPARING, stages });
}

async function load(uid) {
  try {
    const response = await fetch(about.replace("UID", encodeURIComponent(uid)));
    return response.ok ? await response.json() : null;
  } catch {
    known.delete(uid); // asked again with the next image
    return null;
  }
}

function displaySetsOf(viewportId) {
  const { viewportGridService, displaySetService } = context.servicesManager.services;
  const viewport = viewportGridService.getState().viewports.get(viewportId);
  const uids = viewport?.displaySetInstanceUIDs ?? [];
  return uids.map((uid) => displaySetService.getDisplaySetByUID(uid)).filter(Boolean);
}

function studyOf(viewportId) {
  return displaySetsOf(viewportId)[0]?.StudyInstanceUID;
}

// What stands in the viewports; before there are any, what is about to.
function studiesShown() {
  const { viewportGridService } = context.servicesManager.services;
  const ids = [...viewportGridService.getState().viewports.keys()];
  const found = ids.flatMap(displaySetsOf).map((one) => one.StudyInstanceUID);
  const asked = new URLSearchParams(location.search).getAll("StudyInstanceUIDs");
  return [...new Set(found.length > 0 ? found : asked.flatMap((one) => one.split(",")))];
}

function look() {
  waiting = false;
  if (!context) return;
  studies = studiesShown().filter(Boolean);
  channel.send({ kind: "shows", studies });
  name();
}

async function name() {
  const asked = studies;
  const current = currentStudy();
  const facts = await Promise.all(asked.map(aboutStudy));
  if (asked !== studies) return;
  const lines = new Map();
  for (const [index, fact] of facts.entries()) {
    // Of one patient the line of the study that is worked on.
    if (fact && (asked[index] === current || !lines.has(fact.patient))) {
      lines.set(fact.patient, fact.identity);
    }
  }
  showIdentities([...lines.values()]);
}

function lookSoon() {
  if (waiting) return;
  waiting = true;
  setTimeout(look, 0);
}

async function closeWindow() {
  if (await mayGo()) window.close();
}

function receive(message) {
  if (message.kind === "hello") {
    desk = { from: message.from, narrowed: message.narrowed, at: Date.now() };
    channel.send({ kind: "shows", studies, to: message.from });
    for (const run of greeted) run(message.from);
  } else if (message.kind === "open" && message.to) {
    if (message.keep) show(message.studies);
    else open(message.studies);
  } else if (message.kind === "close" && message.to) {
    closeWindow();
  } else if (message.kind === "jump" && context) {
    context.commandsManager.runCommand("jumpToMeasurement", { uid: message.measurement });
  } else {
    listeners.get(message.kind)?.(message);
  }
}

// The tools take the press of a button for themselves: keys would go on to the page around.
if (framed) document.addEventListener("pointerdown", () => window.focus(), true);

window.addEventListener("pagehide", () => channel.send({ kind: "gone" }));
window.addEventListener("pageshow", ({ persisted }) => persisted && lookSoon());

export function enter(given) {
  leave();
  context = given;
  const { viewportGridService, displaySetService } = context.servicesManager.services;
  addProtocol(context.servicesManager.services);
  const grid = viewportGridService.EVENTS;
  subscriptions = [
    viewportGridService.subscribe(grid.GRID_STATE_CHANGED, lookSoon),
    viewportGridService.subscribe(grid.ACTIVE_VIEWPORT_ID_CHANGED, lookSoon),
    viewportGridService.subscribe(grid.VIEWPORTS_READY, lookSoon),
    displaySetService.subscribe(displaySetService.EVENTS.DISPLAY_SETS_CHANGED, lookSoon),
  ];
  lookSoon();
}

export function leave() {
  for (const one of subscriptions) one.unsubscribe();
  subscriptions = [];
}
