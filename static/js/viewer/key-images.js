// Key images: a star marks the image (and frame) that the active viewport shows.
//
// A press shows at once; what was pressed goes to the server a moment later, in one change
// (apps/viewer/key_images.py), which writes a Key Object Selection Document of it.
/* global openpacs */
import { postJson } from "./asking.js";
import { follow, jumpTo, shownIn } from "./shown-image.js";
import { starButton } from "./key-image-button.js";

const { marks, change, placeholder, titles, author, mayMark, words } = openpacs.keyImages;
const QUIET = 700; // milliseconds: a row of presses is one document
const MANY = 20; // marks that are sent without waiting for quiet

const images = new Map(); // Study Instance UID -> what the server says, and what was pressed since
const pending = new Map(); // the same and a title -> what was pressed and is not sent
const listeners = new Set();
let services = null;
let title = titles[0][0];
let timer = 0;
let leaving = [];

const same = (one, place) => one.image === place.image && one.frame === place.frame;
const address = (pattern, study) => pattern.replace(placeholder, study);
const tell = () => listeners.forEach((listener) => listener());

export const state = {
  subscribe: (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  place: () => shownIn(services?.viewportGridService.getActiveViewportId()),
  of: (place) => (place ? (images.get(place.study) ?? []).filter((one) => same(one, place)) : []),
  all: () => [...images.entries()].flatMap(([study, found]) => found.map((one) => ({ ...one, study }))),
  title: () => title,
  choose: (code) => {
    title = code;
    tell();
  },
};

function say(message, type = "info") {
  services.uiNotificationService.show({ title: words.mark, message, type });
}

async function load(study) {
  if (images.has(study)) return;
  images.set(study, []);
  const response = await fetch(address(marks, study));
  if (response.ok) take(study, (await response.json()).images);
}

function take(study, found) {
  images.set(study, found);
  tell();
}

function press(place, code, isMarked) {
  const key = `${place.study} ${code}`;
  const change = pending.get(key) ?? { study: place.study, title: code, marked: new Map(), unmarked: new Map() };
  const name = `${place.image} ${place.frame}`;
  change[isMarked ? "marked" : "unmarked"].set(name, [place.image, place.frame]);
  change[isMarked ? "unmarked" : "marked"].delete(name);
  pending.set(key, change);
  clearTimeout(timer);
  timer = setTimeout(send, change.marked.size < MANY ? QUIET : 0);
}

function toggle() {
  const place = state.place();
  if (!place) return say(words.noImage, "warning");
  if (!mayMark) return undefined;
  const found = images.get(place.study) ?? [];
  const own = found.filter((one) => one.own && same(one, place));
  if (own.length) {
    own.forEach((one) => press(place, one.title, false));
    images.set(place.study, found.filter((one) => !own.includes(one)));
    const others = state.of(place).map((one) => one.author || one.words);
    if (others.length) say(`${words.others} ${others.join(", ")}`);
  } else {
    press(place, title, true);
    const said = titles.find(([code]) => code === title)[1];
    images.set(place.study, [...found, { ...place, title, words: said, author, own: true }]);
  }
  return tell();
}

async function send() {
  clearTimeout(timer);
  const changes = [...pending.values()];
  pending.clear();
  for (const { study, title: code, marked, unmarked } of changes) await post(study, code, marked, unmarked);
}

async function post(study, code, marked, unmarked) {
  const body = { title: code, marked: [...marked.values()], unmarked: [...unmarked.values()] };
  const response = await postJson(address(change, study), body).catch(() => null);
  if (!response?.ok) {
    say(words.failed, "error");
    images.delete(study);
    await load(study);
  } else if (!pending.size) {
    take(study, (await response.json()).images);
  }
  announce();
}

// The page that the viewer stands in, or was opened from, lists the key images too.
function announce() {
  for (const beside of new Set([window.parent, window.opener])) {
    try {
      if (beside && beside !== window) beside.document.body.dispatchEvent(new Event("openpacs-key-images"));
    } catch {
      // a page of somebody else opened this window
    }
  }
}

function next() {
  const all = state.all();
  if (!all.length) return say(words.none);
  const place = state.place();
  const at = place ? all.findIndex((one) => same(one, place)) : -1;
  return jumpTo(all[(at + 1) % all.length]);
}

// The viewer cannot show the documents themselves, and would try to: stars are what they say.
function loadAll() {
  const sets = services.displaySetService.getActiveDisplaySets();
  for (const one of sets.filter((set) => set.Modality === "KO" && set.unsupported)) {
    Object.assign(one, { instances: [...one.instances], excludeFromThumbnailBrowser: true });
    one.images.length = 0;
  }
  new Set(sets.map((one) => one.StudyInstanceUID)).forEach((study) => study && load(study));
}

const sendNow = () => pending.size && send();

export const commands = () => ({
  openpacsToggleKeyImage: toggle,
  openpacsNextKeyImage: next,
  openpacsShowKeyImage: ({ place }) => jumpTo(place),
});

export const buttons = () => [
  {
    id: "openpacsKeyImage",
    section: "primary",
    uiType: "ohif.toolButton",
    component: starButton(state),
    props: { icon: "status-tracked", label: words.mark, tooltip: words.tooltip, evaluate: "evaluate.action" },
  },
];

export function enter(context) {
  services = context.servicesManager.services;
  const { customizationService, displaySetService, viewportGridService } = services;
  customizationService.setCustomizations({
    "ohif.hotkeyBindings": {
      $push: [
        { commandName: "openpacsToggleKeyImage", context: "openpacs", label: words.mark, keys: ["k"] },
        { commandName: "openpacsNextKeyImage", context: "openpacs", label: words.next, keys: ["shift+k"] },
      ],
    },
  });
  const added = displaySetService.subscribe(displaySetService.EVENTS.DISPLAY_SETS_ADDED, loadAll);
  const active = viewportGridService.subscribe(
    viewportGridService.EVENTS.ACTIVE_VIEWPORT_ID_CHANGED,
    tell,
  );
  window.addEventListener("pagehide", sendNow);
  leaving = [
    follow(context, state, tell),
    () => added.unsubscribe(),
    () => active.unsubscribe(),
    () => window.removeEventListener("pagehide", sendNow),
  ];
  loadAll();
}

export function leave() {
  sendNow();
  leaving.forEach((stop) => stop());
  leaving = [];
  images.clear();
}
