// A presentation state on the image of the active viewport: window, inversion, turning and
// displayed area by the viewer itself, graphics and shutters drawn over it. Only to be looked
// at: nothing of it becomes a measurement.
import * as read from "./presentation-state.js";

const NAMES = "http://www.w3.org/2000/svg";
const RENDERED = "CORNERSTONE_IMAGE_RENDERED";
const COLOUR = "#ffe14d";
const PATIENCE = 15_000; // ms for an image to be shown
let current = null; // { viewport, element, sheet, draw, before }

function make(name, attributes) {
  const made = document.createElementNS(NAMES, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function place(imageId) {
  const [, uid, frame] = imageId?.match(/\/instances\/([^/]+)\/frames\/(\d+)/) ?? [];
  return { uid, frame: Number(frame) || 1 };
}

// The viewport, once it shows one of these images; null where that takes too long.
async function showing(services, viewportId, uids) {
  const end = Date.now() + PATIENCE;
  while (Date.now() < end) {
    const viewport = services.cornerstoneViewportService.getCornerstoneViewport(viewportId);
    const at = viewport?.getImageIds?.().findIndex((id) => uids.has(place(id).uid)) ?? -1;
    if (viewport?.type === "stack" && at >= 0) {
      if (!uids.has(place(viewport.getCurrentImageId()).uid)) await viewport.setImageIdIndex(at);
      if (viewport.getImageData()) return viewport;
    }
    await new Promise((next) => setTimeout(next, 100));
  }
  return null;
}

async function bring(context, uids) {
  const { services } = context.servicesManager;
  const { displaySetService, viewportGridService } = services;
  const wanted = displaySetService
    .getActiveDisplaySets()
    .find((one) => !one.unsupported && one.images?.some((image) => uids.has(image.SOPInstanceUID)));
  if (!wanted) return null;
  const viewportId = viewportGridService.getActiveViewportId();
  const shown = viewportGridService.getDisplaySetsUIDsForViewport(viewportId) ?? [];
  if (!shown.includes(wanted.displaySetInstanceUID)) {
    await viewportGridService.setDisplaySetsForViewport({
      viewportId,
      displaySetInstanceUIDs: [wanted.displaySetInstanceUID],
    });
  }
  return showing(services, viewportId, uids);
}

function displayArea(state, { uid, frame }, [columns, rows]) {
  const area = read.areaFor(state, uid, frame);
  if (!area) return null;
  const middle = [(area.left + area.right) / 2 / columns, (area.top + area.bottom) / 2 / rows];
  return {
    imageArea: [(area.right - area.left) / columns, (area.bottom - area.top) / rows],
    imageCanvasPoint: { imagePoint: middle, canvasPoint: [0.5, 0.5] },
    storeAsInitialCamera: false,
  };
}

function look(viewport, state) {
  const here = place(viewport.getCurrentImageId());
  const voiRange = read.windowFor(state, here.uid, here.frame);
  const invert = read.first(state, "20500020") === "INVERSE";
  viewport.setProperties({ invert, ...(voiRange && { voiRange }) });
  const area = displayArea(state, here, viewport.getImageData().dimensions);
  if (area) viewport.setDisplayArea(area);
  // Turned first, then mirrored: mirroring turns the other way round what was turned.
  const mirrored = read.first(state, "00700041") === "Y";
  const turned = Number(read.first(state, "00700042") ?? 0);
  viewport.setViewPresentation({
    rotation: mirrored ? (360 - turned) % 360 : turned,
    flipHorizontal: mirrored,
    flipVertical: false,
  });
  viewport.render();
}

// Points of the image, in pixels from its outer corner, on the canvas; or points in fractions
// of what the state displays, as it lies there.
function onCanvas(viewport, area) {
  const { imageData, dimensions } = viewport.getImageData();
  const [right, bottom] = dimensions;
  const placed = ([x, y]) => viewport.worldToCanvas(imageData.indexToWorld([x - 0.5, y - 0.5, 0]));
  const shown = area ?? { left: 0, top: 0, right, bottom };
  const one = placed([shown.left, shown.top]);
  const other = placed([shown.right, shown.bottom]);
  const within = (k, part) => Math.min(one[k], other[k]) + part * Math.abs(one[k] - other[k]);
  return (point, display) =>
    display ? [within(0, point[0]), within(1, point[1])] : placed(point);
}

function drawLine(sheet, { kind, points, filled, display }, at) {
  if (!points.length) return;
  const [x, y] = at(points[0], display);
  const d =
    kind === "POINT"
      ? `M${x - 5} ${y}h10M${x} ${y - 5}v10`
      : `M${points.map((one) => at(one, display).join(" ")).join("L")}`;
  sheet.append(make("path", { d, stroke: COLOUR, fill: filled ? COLOUR : "none" }));
}

function drawText(sheet, { words, box, boxDisplay, anchor, anchorDisplay, joined }, at) {
  const corners = box.every((one) => one.length === 2) && box.map((one) => at(one, boxDisplay));
  const target = anchor.length === 2 ? at(anchor, anchorDisplay) : null;
  if (!corners && !target) return;
  const start = corners
    ? [0, 1].map((k) => Math.min(corners[0][k], corners[1][k]))
    : [target[0] + 6, target[1]];
  if (corners && target && joined) {
    sheet.append(make("path", { d: `M${start.join(" ")}L${target.join(" ")}`, stroke: COLOUR }));
  }
  words.split(/\r\n|\r|\n/).forEach((line, index) => {
    const text = make("text", { x: start[0], y: start[1] + 14 + 16 * index, fill: COLOUR });
    text.textContent = line;
    sheet.append(text);
  });
}

function drawShutters(sheet, state, dimensions, at) {
  const [columns, rows] = dimensions;
  const edge = [[0, 0], [columns, 0], [columns, rows], [0, rows]];
  const ring = (points) => `M${points.map((one) => at(one).join(" ")).join("L")}Z`;
  for (const opened of read.openings(state)) {
    const d = ring(edge) + ring(opened);
    sheet.append(make("path", { d, fill: "#000", "fill-rule": "evenodd", stroke: "none" }));
  }
}

function drawing(viewport, sheet, state) {
  return () => {
    sheet.replaceChildren();
    const { uid, frame } = place(viewport.getCurrentImageId());
    if (!viewport.getImageData() || !read.images(state).some((one) => one.uid === uid)) return;
    const at = onCanvas(viewport, read.areaFor(state, uid, frame));
    drawShutters(sheet, state, viewport.getImageData().dimensions, at);
    const { lines, texts } = read.drawingsFor(state, uid, frame);
    for (const one of lines) drawLine(sheet, one, at);
    for (const one of texts) drawText(sheet, one, at);
  };
}

// Shows the state; returns "whole", "partly" (without its tables of grey values) or "absent".
export async function applyState(context, address) {
  removeState();
  const response = await fetch(address, { headers: { Accept: "application/dicom+json" } });
  const [state] = response.ok ? await response.json() : [{}];
  const uids = new Set(read.images(state).map((one) => one.uid));
  const viewport = uids.size ? await bring(context, uids) : null;
  if (!viewport) return "absent";
  const before = { looks: viewport.getViewPresentation(), properties: viewport.getProperties() };
  const sheet = make("svg", { class: "openpacs-graphics", "aria-hidden": "true" });
  const draw = drawing(viewport, sheet, state);
  viewport.element.append(sheet);
  viewport.element.addEventListener(RENDERED, draw);
  current = { viewport, element: viewport.element, sheet, draw, before };
  look(viewport, state);
  draw();
  const { uid, frame } = place(viewport.getCurrentImageId());
  return read.hasTables(state, uid, frame) ? "partly" : "whole";
}

// The image as it was before a state was shown on it.
export function removeState() {
  if (!current) return;
  const { viewport, element, sheet, draw, before } = current;
  current = null;
  element.removeEventListener(RENDERED, draw);
  sheet.remove();
  if (!viewport.element?.isConnected) return;
  const { voiRange, invert } = before.properties;
  viewport.setProperties({ voiRange, invert });
  viewport.resetCamera();
  viewport.setViewPresentation(before.looks);
  viewport.render();
}
