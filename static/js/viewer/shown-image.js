// Which image a viewport shows, a star over those that are key images, and the way to an image.
/* global cornerstone */
const FRAME = /\/frames\/(\d+)|[?&]frame=(\d+)/;
let context = null;

function viewportOf(viewportId) {
  return context?.servicesManager.services.cornerstoneViewportService.getCornerstoneViewport(viewportId);
}

// { study, series, image, frame }; frame is 0 for an image of one frame. Null for views across
// the images of a series, and for what is no image.
function placeOf(viewport) {
  const imageId = viewport?.getCurrentImageId?.();
  const instance = imageId && cornerstone.metaData.get("instance", imageId);
  if (!instance?.SOPInstanceUID) return null;
  const found = FRAME.exec(imageId);
  return {
    study: instance.StudyInstanceUID,
    series: instance.SeriesInstanceUID,
    image: instance.SOPInstanceUID,
    number: instance.InstanceNumber,
    seriesNumber: instance.SeriesNumber,
    frame: instance.NumberOfFrames > 1 && found ? Number(found[1] ?? found[2]) : 0,
  };
}

export const shownIn = (viewportId) => placeOf(viewportOf(viewportId));

function putStar(element, found) {
  let star = element.querySelector(":scope > [data-key-image]");
  if (!star && found.length) {
    star = document.createElement("div");
    star.dataset.keyImage = "";
    star.setAttribute("role", "img");
    star.textContent = "★";
    star.style.cssText =
      "position:absolute;top:.25rem;left:calc(50% + 1.2rem);font-size:1.6rem;line-height:1;color:#ffd54a;" +
      "text-shadow:0 0 3px #000;pointer-events:none;z-index:5";
    element.append(star);
  }
  if (!star) return;
  star.hidden = !found.length;
  star.style.display = found.length ? "" : "none";
  const said = found.map((one) => [one.words, one.author].filter(Boolean).join(", ")).join("; ");
  star.setAttribute("aria-label", said);
}

// Keep stars and whoever listens up to date; returns what ends it.
export function follow(given, state, tell) {
  context = given;
  const { Events: EVENTS } = cornerstone.Enums;
  const shown = new Map(); // element -> what it showed when its star was last looked at
  const look = (element) => {
    const viewport = cornerstone.getEnabledElement(element)?.viewport;
    if (viewport) putStar(element, state.of(placeOf(viewport)));
    return viewport;
  };
  const rendered = ({ currentTarget: element }) => {
    const imageId = cornerstone.getEnabledElement(element)?.viewport.getCurrentImageId?.();
    if (shown.get(element) === imageId) return;
    shown.set(element, imageId);
    look(element);
    tell();
  };
  const enabled = ({ detail: { element } }) => {
    shown.set(element, null);
    element.addEventListener(EVENTS.IMAGE_RENDERED, rendered);
  };
  const disabled = ({ detail: { element } }) => shown.delete(element);
  cornerstone.eventTarget.addEventListener(EVENTS.ELEMENT_ENABLED, enabled);
  cornerstone.eventTarget.addEventListener(EVENTS.ELEMENT_DISABLED, disabled);
  const stop = state.subscribe(() => [...shown.keys()].forEach(look));
  return () => {
    stop();
    cornerstone.eventTarget.removeEventListener(EVENTS.ELEMENT_ENABLED, enabled);
    cornerstone.eventTarget.removeEventListener(EVENTS.ELEMENT_DISABLED, disabled);
    for (const element of shown.keys()) element.removeEventListener(EVENTS.IMAGE_RENDERED, rendered);
  };
}

const holds = (displaySet, image) => (displaySet.instances ?? []).some((one) => one.SOPInstanceUID === image);

// Show an image in the active viewport, whatever that shows now.
export function jumpTo(place) {
  const { displaySetService, viewportGridService, hangingProtocolService } =
    context.servicesManager.services;
  const viewportId = viewportGridService.getActiveViewportId();
  const here = viewportGridService.getDisplaySetsUIDsForViewport(viewportId) ?? [];
  const displaySet = displaySetService.getActiveDisplaySets().find((one) => holds(one, place.image));
  if (!displaySet) return;
  const uid = displaySet.displaySetInstanceUID;
  if (here.includes(uid)) {
    moveTo(viewportOf(viewportId), place);
    return;
  }
  const index = displaySet.instances.findIndex((one) => one.SOPInstanceUID === place.image);
  const viewportsToUpdate = hangingProtocolService.getViewportsRequireUpdate(viewportId, uid, true);
  for (const one of viewportsToUpdate) {
    const options = { index: Math.max(index, place.frame - 1) };
    one.viewportOptions = { ...one.viewportOptions, initialImageOptions: options };
  }
  context.commandsManager.run("setDisplaySetsForViewports", { viewportsToUpdate });
}

function moveTo(viewport, place) {
  const isShown = (imageId) => {
    const instance = cornerstone.metaData.get("instance", imageId);
    const found = FRAME.exec(imageId);
    const frame = found ? Number(found[1] ?? found[2]) : 0;
    return instance?.SOPInstanceUID === place.image && (!place.frame || frame === place.frame);
  };
  const index = viewport.getImageIds().findIndex(isShown);
  if (index < 0) return;
  if (viewport.setImageIdIndex) {
    viewport.setImageIdIndex(index);
    return;
  }
  // A view through a volume: move it until it goes through the image.
  const { imagePositionPatient } = cornerstone.metaData.get("imagePlaneModule", viewport.getImageIds()[index]);
  const { focalPoint, position, viewPlaneNormal } = viewport.getCamera();
  const way = viewPlaneNormal.reduce(
    (sum, part, axis) => sum + part * (imagePositionPatient[axis] - focalPoint[axis]),
    0,
  );
  const moved = (point) => point.map((value, axis) => value + way * viewPlaneNormal[axis]);
  viewport.setCamera({ focalPoint: moved(focalPoint), position: moved(position) });
  viewport.render();
}
