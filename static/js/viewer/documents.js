// The documents of the open studies: a panel that lists them, and a place beside the images
// where one of them is read. Pages of documents have no rights of their own (sandbox).
/* global openpacs */
import { element, styled } from "./elements.js";
import { applyState, removeState } from "./presentation.js";

const { list, styles, words } = openpacs.documents;
const READING = "openpacs-reading";
let context = null;

function openStudies() {
  const { displaySetService } = context.servicesManager.services;
  const asked = new URLSearchParams(window.location.search).getAll("StudyInstanceUIDs");
  const shown = displaySetService.getActiveDisplaySets().map((one) => one.StudyInstanceUID);
  return [...new Set([...asked.flatMap((uids) => uids.split(",")), ...shown])].filter(Boolean);
}

async function fetchList(uid) {
  const response = await fetch(list.replace("UID", encodeURIComponent(uid)));
  if (!response.ok) throw new Error(response.status);
  return response.text();
}

async function fill(place) {
  try {
    const lists = await Promise.all(openStudies().map(fetchList));
    place.innerHTML = lists.join(""); // escaped by the server, as on its pages
  } catch {
    place.textContent = words.failed;
  }
  for (const button of place.querySelectorAll("[data-presentation]")) button.hidden = false;
}

function closeDocument() {
  document.querySelector(".openpacs-document")?.remove();
  document.documentElement.classList.remove(READING);
  for (const link of document.querySelectorAll("a[data-document][aria-current]")) {
    link.removeAttribute("aria-current");
  }
}

function openDocument(link) {
  closeDocument();
  const { document: show, title } = link.dataset;
  const frame = element("iframe", { title, src: link.href });
  if (show === "page") frame.setAttribute("sandbox", "");
  const close = element("button", { type: "button", textContent: words.close, onclick: closeDocument });
  const own = element("a", { href: link.href, target: "openpacs-document", textContent: words.window });
  const head = element("header", {}, element("h2", { textContent: title }), own, close);
  const pane = element("aside", { className: "openpacs-document" }, head, frame);
  pane.setAttribute("aria-label", title);
  pane.addEventListener("keydown", (event) => event.key === "Escape" && closeDocument());
  document.body.append(pane);
  document.documentElement.classList.add(READING);
  link.setAttribute("aria-current", "true");
  close.focus();
}

function releaseButtons() {
  for (const one of document.querySelectorAll("[data-presentation][aria-pressed=true]")) {
    one.setAttribute("aria-pressed", "false");
  }
}

// Pressed once: the image as the state has it; pressed again: as before.
async function showState(button) {
  const pressed = button.getAttribute("aria-pressed") === "true";
  releaseButtons();
  removeState();
  if (pressed) return;
  const outcome = await applyState(context, button.dataset.presentation);
  button.setAttribute("aria-pressed", String(outcome !== "absent"));
  if (outcome === "whole") return;
  const { uiNotificationService } = context.servicesManager.services;
  const message = words[outcome];
  uiNotificationService.show({ title: button.dataset.title, message, type: "warning" });
}

function onClick(event) {
  const link = event.target.closest("a[data-document]");
  const button = event.target.closest("[data-presentation]");
  if (button) showState(button);
  if (!link || link.dataset.document === "file" || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  openDocument(link);
}

function Panel() {
  const { createElement, useEffect, useRef } = openpacs.React;
  const place = useRef(null);
  useEffect(() => {
    fill(place.current);
  }, []);
  return createElement("div", { ref: place, className: "openpacs-documents", onClick });
}

// What the viewer cannot show has no pictures: asking for them ahead of time only fails.
function withoutPictures(source) {
  if (source.openpacsAsks) return;
  source.openpacsAsks = source.getImageIdsForDisplaySet;
  source.getImageIdsForDisplaySet = (one) => (one.unsupported ? [] : source.openpacsAsks(one));
}

export const panels = (given) => {
  context = given;
  return [
    { name: "openpacsDocuments", iconName: "clipboard", label: words.documents, component: Panel },
  ];
};

export function enter(given) {
  context = given;
  styled(styles);
  given.extensionManager.getActiveDataSource().forEach(withoutPictures);
}

export function leave() {
  closeDocument();
  removeState();
}
