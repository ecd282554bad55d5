// Segmentations and contours that were drawn here and are stored nowhere.
const SERIES_NUMBER = 3101; // as the viewer numbers its first one, or near it
const changed = new Set();
const added = new Set(); // since the last press: making an empty one tells of a change, too
let context = null;
let subscriptions = [];

/** { id, label, isStorable } of each: contours the viewer stores by its own dialog only. */
export function unsavedSegmentations() {
  const found = context?.servicesManager.services.segmentationService.getSegmentations() ?? [];
  return found
    .filter((one) => changed.has(one.segmentationId))
    .map(({ segmentationId: id, label, representationData }) => ({
      id,
      label,
      isStorable: Boolean(representationData.Labelmap),
    }));
}

/** Store one with the images of its study. */
export async function storeSegmentation({ id, label }, dataSource) {
  const { commandsManager } = context;
  const options = { dataSource, SeriesDescription: label, SeriesNumber: SERIES_NUMBER };
  const { dataset } = await commandsManager.runCommand("generateSegmentation", { segmentationId: id, options });
  if (dataset.StudyID === "No Study ID") dataset.StudyID = "";
  const file = { dataSource, defaultFileName: `${label}.dcm` };
  await commandsManager.runCommand("createStoreFunction", file)(dataset, {});
  changed.delete(id);
}

const pressed = () => added.clear();

export function enter(given) {
  leave();
  context = given;
  const { segmentationService } = given.servicesManager.services;
  const { SEGMENTATION_ADDED, SEGMENTATION_DATA_MODIFIED, SEGMENTATION_REMOVED } =
    segmentationService.EVENTS;
  const follow = (event, run) =>
    segmentationService.subscribe(event, ({ segmentationId }) => run(segmentationId));
  subscriptions = [
    follow(SEGMENTATION_ADDED, (id) => added.add(id)),
    follow(SEGMENTATION_DATA_MODIFIED, (id) => added.has(id) || changed.add(id)),
    follow(SEGMENTATION_REMOVED, (id) => changed.delete(id)),
  ];
  for (const press of ["pointerdown", "keydown"]) window.addEventListener(press, pressed, true);
}

export function leave() {
  for (const one of subscriptions) one.unsubscribe();
  for (const press of ["pointerdown", "keydown"]) window.removeEventListener(press, pressed, true);
  subscriptions = [];
  changed.clear();
  added.clear();
}
