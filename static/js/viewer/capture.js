// Pictures of viewports: what is drawn in them, and what is to be said below.
//
// A viewport is drawn anew in more pixels than the screen has, by telling the viewer of a
// finer screen for a moment; its annotations are vectors and are laid over at any size.

const RENDERED = "CORNERSTONE_IMAGE_RENDERED";
const PATIENCE = 4000; // ms for one drawing: a viewport whose image is not there yet draws nothing
const FINEST = 3; // pixels for one of the screen
const QUALITY = 0.92;
const AXES = [
  ["R", "L"],
  ["A", "P"],
  ["F", "H"],
];

/** Viewports of the grid that draw images, in reading order, with their places on it. */
export function viewportsOf({ servicesManager }) {
  const { viewportGridService, cornerstoneViewportService } = servicesManager.services;
  const { viewports, activeViewportId } = viewportGridService.getState();
  return [...viewports.values()]
    .map((pane) => ({
      pane,
      viewport: cornerstoneViewportService.getCornerstoneViewport(pane.viewportId),
      box: [pane.x, pane.y, pane.width, pane.height],
      active: pane.viewportId === activeViewportId,
    }))
    .filter(({ viewport }) => viewport?.element?.isConnected && viewport.getCanvas?.())
    .sort((one, other) => one.box[1] - other.box[1] || one.box[0] - other.box[0]);
}

/** JPEG pictures of viewports whose longer side has about so many pixels, where they may. */
export async function capture(shown, longest) {
  const sides = shown.map(({ viewport }) =>
    Math.max(viewport.element.clientWidth, viewport.element.clientHeight),
  );
  // Drawn first: the numbers at annotations may be those of a moment ago. And taken before
  // the screen is a finer one: then the viewer lays them out for another size.
  await draw(shown);
  await annotated();
  const layers = await Promise.all(shown.map(({ viewport }) => annotationsOf(viewport)));
  const real = Object.getOwnPropertyDescriptor(window, "devicePixelRatio");
  const finer = Math.min(FINEST, Math.max(window.devicePixelRatio, longest / Math.max(...sides, 1)));
  Object.defineProperty(window, "devicePixelRatio", { value: finer, configurable: true });
  try {
    await draw(shown);
    return await Promise.all(shown.map(({ viewport }, at) => pictureOf(viewport, layers[at])));
  } finally {
    if (real) Object.defineProperty(window, "devicePixelRatio", real);
    else delete window.devicePixelRatio;
    await draw(shown);
  }
}

/** What is known of the image in a viewport: UIDs, words for its caption, letters of its edges. */
export function describe({ pane, viewport }, { servicesManager }, words) {
  const { cineService, displaySetService } = servicesManager.services;
  const displaySet = displaySetService.getDisplaySetByUID(pane.displaySetInstanceUIDs[0]);
  const [, instance = "", frame = ""] =
    /\/instances\/([\d.]+)\/frames\/(\d+)/.exec(viewport.getCurrentImageId?.() ?? "") ?? [];
  const isSlice = viewport.type === "stack"; // else one through a volume: no image of its own
  const known = isSlice ? { instance, frame } : { instance: "", frame: "" };
  return {
    study: displaySet?.StudyInstanceUID ?? "",
    series: displaySet?.SeriesInstanceUID ?? "",
    ...known,
    images: displaySet?.numImageFrames ?? displaySet?.instances?.length ?? 1,
    window: windowOf(viewport),
    speed: cineService.getState().cines?.[pane.viewportId]?.frameRate,
    caption: captionOf(viewport, displaySet, words),
    letters: lettersOf(viewport),
    measurements: measurementsOn(displaySet, known.instance, servicesManager),
  };
}

async function draw(shown) {
  const drawn = shown.map(
    ({ viewport }) =>
      new Promise((resolve) => {
        viewport.element.addEventListener(RENDERED, resolve, { once: true });
        setTimeout(resolve, PATIENCE);
      }),
  );
  for (const engine of new Set(shown.map(({ viewport }) => viewport.getRenderingEngine()))) {
    engine.resize(true, true);
    engine.render();
  }
  await Promise.all(drawn);
}

/** Annotations are laid out in the frame after an image was drawn. */
function annotated() {
  return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}

function pictureOf(viewport, layer) {
  const source = viewport.getCanvas();
  const target = document.createElement("canvas");
  target.width = source.width;
  target.height = source.height;
  const context = target.getContext("2d");
  context.drawImage(source, 0, 0);
  if (layer) context.drawImage(layer, 0, 0, target.width, target.height);
  return new Promise((resolve) => target.toBlob(resolve, "image/jpeg", QUALITY));
}

/** What is drawn over a viewport's image, as an image; null where there is nothing. */
function annotationsOf(viewport) {
  const layer = viewport.element.querySelector("svg.svg-layer");
  const drawn = layer?.querySelector("g, line, path, text, circle, ellipse, rect, polyline");
  return drawn ? imageOf(layer, viewport.element) : null;
}

async function imageOf(layer, element) {
  const copy = layer.cloneNode(true);
  const { clientWidth: width, clientHeight: height } = element;
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const image = new Image();
  const text = new XMLSerializer().serializeToString(copy);
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  return image;
}

function windowOf(viewport) {
  const range = viewport.getProperties?.()?.voiRange;
  if (!range) return null;
  const width = Math.abs(range.upper - range.lower) + 1;
  return { width: Math.round(width), center: Math.round((range.lower + range.upper + 1) / 2) };
}

function captionOf(viewport, displaySet, words) {
  const count = viewport.getNumberOfSlices?.() ?? displaySet?.numImageFrames ?? 1;
  const at = (viewport.getCurrentImageIdIndex?.() ?? 0) + 1;
  const levels = windowOf(viewport);
  const said = [`${words.image} ${at} / ${count}`];
  if (levels) said.push(`W ${levels.width} L ${levels.center}`);
  const place = placeOf(viewport);
  if (place) said.push(place);
  return said.join("   ");
}

/** Where a slice lies, along the axis it stands across: `F 470.8 mm`. */
function placeOf(viewport) {
  if (!isOriented(viewport)) return "";
  const { viewPlaneNormal, focalPoint } = viewport.getCamera();
  const [axis] = largest(viewPlaneNormal);
  const value = focalPoint[axis];
  return `${AXES[axis][value < 0 ? 0 : 1]} ${Math.abs(value).toFixed(1)} mm`;
}

function lettersOf(viewport) {
  if (!isOriented(viewport)) return {};
  const { clientWidth: width, clientHeight: height } = viewport.element;
  const across = between(viewport, [0, height / 2], [width, height / 2]);
  const down = between(viewport, [width / 2, 0], [width / 2, height]);
  return {
    left: letters(across.map((value) => -value)),
    right: letters(across),
    top: letters(down.map((value) => -value)),
    bottom: letters(down),
  };
}

/** Are the world's axes those of the patient? Not for an image that says nothing of it. */
function isOriented(viewport) {
  const id = viewport.getCurrentImageId?.();
  const plane = id && window.cornerstone.metaData.get("imagePlaneModule", id);
  return Boolean(plane?.frameOfReferenceUID && plane.imageOrientationPatient);
}

function between(viewport, from, to) {
  const [start, end] = [viewport.canvasToWorld(from), viewport.canvasToWorld(to)];
  const path = [0, 1, 2].map((axis) => end[axis] - start[axis]);
  const length = Math.hypot(...path) || 1;
  return path.map((value) => value / length);
}

function letters(direction) {
  return largest(direction)
    .filter((axis) => Math.abs(direction[axis]) > 0.2)
    .slice(0, 2)
    .map((axis) => AXES[axis][direction[axis] < 0 ? 0 : 1])
    .join("");
}

function largest(direction) {
  return [0, 1, 2].sort((one, other) => Math.abs(direction[other]) - Math.abs(direction[one]));
}

function measurementsOn(displaySet, instance, servicesManager) {
  const { measurementService } = servicesManager.services;
  return measurementService
    .getMeasurements()
    .filter(
      (one) =>
        one.referenceSeriesUID === displaySet?.SeriesInstanceUID &&
        (!instance || one.SOPInstanceUID === instance),
    )
    .map((one) => [one.label, ...(one.displayText?.primary ?? [])].filter(Boolean).join(" "))
    .filter(Boolean);
}
