// What is measured in the viewer, offered to the text: nothing goes into it by itself.

import { isOwnPatient, listen, tell } from "./report-viewer.js";

const card = document.querySelector("[data-measurements]");
const rows = card?.querySelector("[data-measurement-rows]");
const pattern = card?.querySelector("template[data-measurement]");
const findings = () => document.querySelector('[data-section="findings"]');
const KEPT = card && `openpacs-inserted-${card.dataset.report}`;
// Lines in the text by measurement; kept while this tab lives, so that a reload forgets none.
const inserted = new Map(card ? JSON.parse(sessionStorage.getItem(KEPT) ?? "[]") : []);
const byViewer = new Map(); // viewer -> its measurements
const removed = new Map(); // measurement -> what it was, where its line stands in the text

function keep() {
  sessionStorage.setItem(KEPT, JSON.stringify([...inserted]));
}

function line({ label, value, place }) {
  return `${label}${value ? `: ${value}` : ""}${place ? ` (${place})` : ""}`;
}

// Of several viewers that show one measurement, such as a stored one, the first tells it.
function all() {
  const found = new Map(removed);
  for (const one of [...byViewer.values()].flat()) {
    if (isOwnPatient(one.study)) found.set(one.id, one);
  }
  return [...found.values()];
}

// Viewers ask before something is lost; what stands in the text is not.
function tellKept() {
  const there = all().filter((one) => inserted.has(one.id) && !removed.has(one.id));
  const [changed, inText] = [true, false].map((old) =>
    there.filter((one) => (inserted.get(one.id) !== line(one)) === old).map(({ id }) => id),
  );
  const offered = findings() ? missing().map(({ id }) => id) : [];
  tell({ kind: "kept", inText, changed, offered });
}

function draw() {
  tellKept();
  const list = all();
  card.hidden = list.length === 0;
  const every = card.querySelector("[data-insert-all]");
  if (every) every.hidden = missing().length === 0;
  const fresh = document.createElement("ul");
  fresh.append(...list.map(row));
  // What is as it was stays, and keeps the focus: viewers tell more often than they measure.
  if (fresh.innerHTML !== rows.innerHTML) rows.replaceChildren(...fresh.children);
}

function row(one) {
  const item = pattern.content.firstElementChild.cloneNode(true);
  const before = inserted.get(one.id);
  const changed = before !== undefined && before !== line(one);
  const gone = removed.has(one.id);
  item.dataset.id = one.id;
  item.querySelector("[data-label]").textContent = one.label;
  item.querySelector("[data-value]").textContent = one.value;
  item.querySelector("[data-place]").textContent = one.place;
  mark(item, "in", before !== undefined && !changed && !gone);
  mark(item, "changed", changed && !gone);
  mark(item, "removed", gone);
  const [insert, replace] = ["[data-insert]", "[data-replace]"].map((name) => item.querySelector(name));
  if (insert) insert.hidden = before !== undefined || gone;
  if (replace) replace.hidden = !changed || gone || !findings()?.value.includes(before);
  return item;
}

function mark(item, name, on) {
  item.querySelector(`[data-mark="${name}"]`).hidden = !on;
}

// A line of its own at the cursor, which then stands behind it.
function insert(list) {
  const area = findings();
  if (!area || list.length === 0) return;
  const { value, selectionStart: start, selectionEnd: end } = area;
  const lines = list.map(line).join("\n");
  const before = start > 0 && value[start - 1] !== "\n" ? "\n" : "";
  const after = value[end] === "\n" ? "" : "\n";
  area.setRangeText(`${before}${lines}${after}`, start, end, "end");
  for (const one of list) inserted.set(one.id, line(one));
  written(area);
}

function replace(one) {
  const area = findings();
  const before = inserted.get(one.id);
  const at = area.value.indexOf(before);
  if (at < 0) return;
  area.setRangeText(line(one), at, at + before.length, "end");
  inserted.set(one.id, line(one));
  written(area);
}

function written(area) {
  keep();
  draw();
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

function missing() {
  return all().filter((one) => !inserted.has(one.id) && !removed.has(one.id));
}

function receive(message) {
  if (message.kind === "measured") {
    byViewer.set(message.from, message.measurements);
    for (const one of message.measurements) removed.delete(one.id);
  } else if (message.kind === "removed") {
    const one = [...byViewer.values()].flat().find((held) => held.id === message.measurement);
    if (one && inserted.has(one.id)) removed.set(one.id, one);
  } else if (message.kind === "insert") {
    insert(missing());
  } else if (message.kind === "gone") {
    byViewer.delete(message.from);
  }
  draw();
}

function act(event) {
  const one = all().find(({ id }) => id === event.target.closest("[data-id]")?.dataset.id);
  if (event.target.closest("[data-insert-all]")) insert(missing());
  else if (!one) return;
  else if (event.target.closest("[data-jump]")) tell({ kind: "jump", measurement: one.id });
  else if (event.target.closest("[data-insert]")) insert([one]);
  else if (event.target.closest("[data-replace]")) replace(one);
}

if (card) {
  listen(receive);
  card.addEventListener("click", act);
  document.addEventListener("keydown", (event) => {
    if (event.altKey && event.key.toLowerCase() === "m") {
      event.preventDefault();
      insert(missing());
    }
  });
}
