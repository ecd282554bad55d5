// The images beside the text: in a frame of the page, or in a window of their own.
//
// Who counts: the frame of this page, and every viewer that has a window to itself; frames of
// other pages belong to those. The window that links of ours open ("openpacs-viewer") follows
// the report. Whether what they show is of the patient, the server decides.

import { join } from "./reading-channel.js";

const WIDE = "(min-width: 80rem)";
const WINDOW = "openpacs-viewer";
const GREETING_MS = 5000; // a viewer that misses several is gone
const MISSES = 3;
const WAIT_MS = 250; // for a window that is there already, before the frame is loaded
const desk = document.querySelector("[data-desk]");
const own = desk ? desk.dataset.studies.split(",").filter(Boolean) : [];
const frame = document.querySelector("[data-viewer-frame]");
const frameName = `openpacs-frame-${Date.now().toString(36)}`;
const verdicts = new Map(own.map((uid) => [uid, "same"])); // study -> same, foreign, asked
const viewers = new Map(); // from -> { frame, name, studies, misses }
const listeners = [];
const working = new Set(); // viewers with measurements that nothing keeps
let opened = null; // the window that we opened ourselves

const channel = desk && join("desk", receive);

// Messages of attached viewers about measurements and the like go to `listener`.
export function listen(listener) {
  listeners.push(listener);
}

export function tell(message) {
  for (const to of viewers.keys()) channel?.send({ ...message, to });
}

// The studies that attached viewers show.
export function shown() {
  return [...new Set([...viewers.values()].flatMap((one) => one.studies))];
}

export function isForeign() {
  return shown().some((uid) => verdicts.get(uid) === "foreign");
}

export function isOwnPatient(uid) {
  return verdicts.get(uid) === "same";
}

// The frame of this page, or no frame at all.
function counts(message) {
  return !message.frame || message.frame === frameName;
}

function receive(message) {
  if (!counts(message)) return;
  if (message.kind === "gone") forget(message.from);
  else if (message.kind === "shows") note(message);
  else if (message.kind === "measured") noteWork(message);
  else if (message.kind === "next") document.querySelector("[data-next]")?.click();
  for (const listener of listeners) listener(message);
  arrange();
}

function note({ from, frame: inFrame, window: name, studies }) {
  viewers.set(from, { frame: inFrame, name, studies, misses: 0 });
  ask(studies.filter((uid) => !verdicts.has(uid)));
}

function noteWork({ from, measurements }) {
  if (measurements.every((one) => one.kept)) working.delete(from);
  else working.add(from);
}

function forget(from) {
  viewers.delete(from);
  working.delete(from);
}

async function ask(uids) {
  if (uids.length === 0) return;
  for (const uid of uids) verdicts.set(uid, "asked");
  const query = new URLSearchParams(uids.map((uid) => ["study", uid]));
  try {
    const response = await fetch(`${desk.dataset.check}?${query}`);
    const { foreign } = await response.json();
    for (const uid of uids) verdicts.set(uid, foreign.includes(uid) ? "foreign" : "same");
  } catch {
    // Unknown stays unknown: the server decides when the report is signed.
    for (const uid of uids) verdicts.delete(uid);
  }
  arrange();
  for (const listener of listeners) listener({ kind: "checked" });
}

function windows() {
  return [...viewers.entries()].filter(([, one]) => !one.frame);
}

// A window of its own makes the frame needless: one place for the images at a time.
function arrange() {
  const apart = windows().length > 0;
  document.querySelector("[data-mismatch]").hidden = !isForeign();
  if (!frame) return;
  const beside = document.querySelector("[data-beside]");
  if (apart && frame.src && !isWorkedIn()) unload();
  desk.classList.toggle("is-apart", !frame.src);
  beside.hidden = Boolean(frame.src) || !window.matchMedia(WIDE).matches;
}

// What was measured in the frame and is kept nowhere would go with it.
function isWorkedIn() {
  return [...viewers].some(([from, one]) => one.frame && working.has(from));
}

function load() {
  if (frame && window.matchMedia(WIDE).matches && !frame.src) {
    frame.name = frameName;
    frame.src = frame.dataset.viewerFrame;
  }
}

function unload() {
  for (const [from, one] of viewers) if (one.frame) viewers.delete(from);
  frame.removeAttribute("src");
  frame.contentWindow.location.replace("about:blank");
}

function greet() {
  for (const [from, one] of viewers) {
    one.misses += 1;
    if (one.misses > MISSES) forget(from);
  }
  channel.send({ kind: "hello", report: desk.dataset.desk, narrowed: desk.dataset.narrowed });
  arrange();
}

// Opening a report moves the viewer's window to it, unless it shows one of its studies.
function lead() {
  for (const [from, one] of windows()) {
    const follows = one.name === WINDOW && own.length > 0;
    if (follows && !one.studies.some((uid) => own.includes(uid))) open(own, from);
  }
}

// `keep`: it is the same patient, what was measured stays.
function open(studies, to, keep = false) {
  channel.send({ kind: "open", studies, keep, to });
}

// Where a viewer is there it changes what it shows; a new window would load it all again.
function show(event) {
  const link = event.target.closest("[data-show]");
  if (!link || event.ctrlKey || event.metaKey) return;
  const studies = link.dataset.show.split(",");
  const apart = windows().find(([, one]) => one.name === WINDOW);
  const inside = [...viewers.entries()].find(([, one]) => one.frame);
  const wantsWindow = link.matches("[data-viewer]");
  const found = apart ?? (wantsWindow ? null : inside);
  if (found) {
    event.preventDefault();
    const same = found[1].studies.every((uid) => verdicts.get(uid) === "same");
    open(studies, found[0], same);
    if (apart) opened?.focus();
  } else {
    event.preventDefault();
    opened = window.open(link.href, WINDOW);
  }
}

if (desk) {
  window.name ||= "openpacs-report"; // by which the viewer finds it
  document.addEventListener("click", show);
  document.querySelector("[data-show-own]").addEventListener("click", () => {
    for (const [from] of viewers) open(own, from);
  });
  document.querySelector("[data-beside]")?.addEventListener("click", () => {
    for (const [from] of windows()) {
      channel.send({ kind: "close", to: from });
      viewers.delete(from);
    }
    load();
    arrange();
  });
  greet();
  setInterval(greet, GREETING_MS);
  // Loaded only where it is shown: on narrow screens the images have their own window.
  setTimeout(() => {
    lead();
    if (windows().length === 0) load();
    arrange();
  }, WAIT_MS);
}
