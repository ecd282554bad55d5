// The reading list by keys; the chosen row stays chosen when the list reloads itself.

const list = document.querySelector("[data-reading-list]");
let chosen = null;
let place = 0;

function rows() {
  return [...list.querySelectorAll("[data-row]")];
}

function choose(row, { focus = true } = {}) {
  for (const other of rows()) other.classList.toggle("is-selected", other === row);
  if (!row) return;
  chosen = row.dataset.row;
  place = rows().indexOf(row);
  if (focus) row.querySelector("[data-open]").focus();
}

function current() {
  return rows().find((row) => row.dataset.row === chosen);
}

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const at = current() ? all.indexOf(current()) + step : 0;
  choose(all[Math.min(Math.max(at, 0), all.length - 1)]);
}

const actions = {
  j: () => move(1),
  k: () => move(-1),
  c: () => current()?.querySelector("[data-claim] button")?.click(),
  v: () => current()?.querySelector("[data-viewer]")?.click(),
  Enter: () => current()?.querySelector("[data-open]").click(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  // Enter does what it says on a link or button in focus.
  const taken = event.key === "Enter" ? "a, button, summary" : "input, select, textarea";
  if (event.target.closest(taken) || !(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
});

list.addEventListener("focusin", (event) => {
  const row = event.target.closest("[data-row]");
  if (row) choose(row, { focus: false });
});

list.addEventListener("htmx:afterSwap", () => {
  // A row that is gone leaves its place to the one that moved up.
  const all = rows();
  if (chosen !== null) choose(current() || all[Math.min(place, all.length - 1)], { focus: false });
});
