// The list of studies: keys, ticks, rows that open in place, and what arrives meanwhile.

const results = document.querySelector("[data-results]");
const bar = document.querySelector("[data-selection]");
const allBox = document.querySelector("[data-all]");
const arrivals = document.querySelector("#arrivals");
const ticked = new Set(); // keys of studies, across a search that still shows them
const unfolded = new Set();
let current = null; // the row the keys are at
let lastTick = null; // where a range begins
let byItself = false; // new rows are being put in without anybody's asking
let cameBack = null; // what had the focus when its row was replaced

const rows = () => [...results.querySelectorAll("[data-row]")];
const rowOf = (key) => results.querySelector(`[data-row="${key}"]`);
const boxOf = (row) => row.querySelector("[data-tick]");

// --- Where the keys are -------------------------------------------------------------

function choose(row, { focus = true } = {}) {
  for (const other of results.querySelectorAll(".is-selected")) other.classList.remove("is-selected");
  if (!row) return;
  current = row.dataset.row;
  row.classList.add("is-selected");
  if (focus) {
    row.querySelector("[data-open]").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
}

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const here = all.findIndex((row) => row.dataset.row === current);
  choose(all[here < 0 ? 0 : Math.min(Math.max(here + step, 0), all.length - 1)]);
}

results.addEventListener("focusin", (event) => {
  const row = event.target.closest("[data-row]");
  if (row) choose(row, { focus: false });
});

// --- Ticks ----------------------------------------------------------------------------

function tell() {
  bar.hidden = ticked.size === 0;
  bar.querySelector("[data-selected]").textContent = String(ticked.size);
  const shown = rows();
  allBox.checked = shown.length > 0 && shown.every((row) => ticked.has(row.dataset.row));
  allBox.indeterminate = ticked.size > 0 && !allBox.checked;
}

function tick(row, on) {
  boxOf(row).checked = on;
  row.classList.toggle("table-active", on);
  if (on) ticked.add(row.dataset.row);
  else ticked.delete(row.dataset.row);
}

function tickUpTo(row, on) {
  const all = rows();
  const ends = [all.indexOf(row), all.findIndex((one) => one.dataset.row === lastTick)];
  for (const one of all.slice(Math.min(...ends), Math.max(...ends) + 1)) tick(one, on);
}

results.addEventListener("click", (event) => {
  const box = event.target.closest("[data-tick]");
  if (!box) return;
  const row = box.closest("[data-row]");
  if (event.shiftKey && rowOf(lastTick)) tickUpTo(row, box.checked);
  else tick(row, box.checked);
  lastTick = row.dataset.row;
  tell();
});

allBox.addEventListener("change", () => {
  for (const row of rows()) tick(row, allBox.checked);
  tell();
});

bar.addEventListener("reset", () => {
  for (const row of rows()) tick(row, false);
  ticked.clear();
  tell();
});

// --- Rows that open in place --------------------------------------------------------

function fold(row, open) {
  const button = row.querySelector("[data-fold]");
  const detail = document.getElementById(`detail-${row.dataset.row}`);
  button.setAttribute("aria-expanded", String(open));
  detail.hidden = !open;
  if (!open) {
    unfolded.delete(row.dataset.row);
    return;
  }
  unfolded.add(row.dataset.row);
  if (!detail.firstElementChild.hasChildNodes()) button.dispatchEvent(new CustomEvent("unfold"));
}

results.addEventListener("click", (event) => {
  const button = event.target.closest("[data-fold]");
  if (button) fold(button.closest("[data-row]"), button.getAttribute("aria-expanded") !== "true");
});

// --- Keys -------------------------------------------------------------------------------

const onRow = (act) => () => {
  const row = rowOf(current);
  if (row) act(row);
};
const actions = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  e: onRow((row) => fold(row, row.querySelector("[data-fold]").getAttribute("aria-expanded") !== "true")),
  v: onRow((row) => row.querySelector("[data-viewer]")?.click()),
  " ": onRow((row) => boxOf(row).click()),
  Enter: onRow((row) => row.querySelector("[data-open]").click()),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const inSearch = event.target.closest("[data-search]");
  if (inSearch && event.key === "ArrowDown") {
    event.preventDefault();
    move(current === null ? 1 : 0);
    return;
  }
  // Space and Enter do what they say on what has the focus, but for the link of a row.
  const own = [" ", "Enter"].includes(event.key) ? "a:not([data-open]), button, summary, input" : "";
  if (event.target.closest("input:not([type=checkbox]), select, textarea") || !(event.key in actions)) return;
  if (own && event.target.closest(own)) return;
  if (event.key === "Enter" && event.target.closest("[data-open]")) return;
  event.preventDefault();
  actions[event.key]();
});

// --- What came since ---------------------------------------------------------------------

function onScreen(row) {
  const box = row.getBoundingClientRect();
  return box.bottom > -200 && box.top < window.innerHeight + 200;
}

document.addEventListener("htmx:configRequest", (event) => {
  // As in site.js: what nobody asked for is no sign of somebody sitting there.
  if (byItself && event.detail.elt.matches("[data-new]")) event.detail.headers["X-Background"] = "1";
  if (event.detail.elt !== arrivals) return;
  const values = event.detail.parameters;
  values.newest = document.querySelector("[data-newest]").value;
  values.told = arrivals.querySelector("[data-new]")?.dataset.new ?? "0";
  values.seen = rows()
    .filter(onScreen)
    .slice(0, 60)
    .map((row) => `${row.dataset.row}-${row.dataset.revision}`);
});

// Nobody is looking at a hidden page.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt === arrivals && document.hidden) event.preventDefault();
});

const narrowed = () => [...new URLSearchParams(location.search).keys()].some((key) => key !== "all");

// New rows come by themselves only where nobody has begun to do something with the list.
function undisturbed() {
  const busy = ticked.size > 0 || unfolded.size > 0 || document.querySelector("details[data-menu][open]");
  const elsewhere = results.contains(document.activeElement);
  return window.scrollY < 10 && !busy && !elsewhere && !narrowed();
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target !== arrivals || !undisturbed()) return;
  byItself = true;
  arrivals.querySelector("[data-new]")?.click();
  byItself = false;
});

// --- After rows were put in ---------------------------------------------------------------

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const row = event.detail.target.closest?.("[data-row]");
  if (row?.contains(document.activeElement)) cameBack = document.activeElement.id;
});

document.addEventListener("htmx:oobAfterSwap", (event) => {
  const key = event.detail.target?.dataset?.row;
  const row = key && rowOf(key);
  if (!row) return;
  tick(row, ticked.has(key));
  if (unfolded.has(key)) row.querySelector("[data-fold]").setAttribute("aria-expanded", "true");
  if (key === current) choose(row, { focus: false });
  if (cameBack) document.getElementById(cameBack)?.focus({ preventScroll: true });
  cameBack = null;
});

results.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== results) return;
  // Only what is shown can be acted on.
  for (const key of [...ticked]) if (!rowOf(key)) ticked.delete(key);
  unfolded.clear();
  for (const row of rows()) if (ticked.has(row.dataset.row)) tick(row, true);
  if (!rowOf(current)) current = null;
  else choose(rowOf(current), { focus: false });
  tell();
});

// The summary of the modalities says what is ticked in it.
const modality = document.querySelector(".studies-modality");
modality.addEventListener("change", () => {
  const chosen = [...modality.querySelectorAll(":checked")].map((box) => box.value);
  const summary = modality.querySelector("summary");
  summary.firstChild.textContent = chosen.length ? `${chosen.join(" ")} ` : summary.dataset.any;
});

for (const box of results.querySelectorAll("[data-tick]:checked")) tick(box.closest("[data-row]"), true);
tell();
