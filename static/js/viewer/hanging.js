// Between layouts as we keep them (apps/viewer/shapes.py) and hanging protocols of the viewer.
import { blendOf } from "./slab.js";

const VERSION = 1;
const POSITION = "openpacsPosition";
const [CURRENT, PRIOR] = [0, 1]; // places of the studies in the address of the page
const KINDS = { stack: "stack", orthographic: "volume", volume3d: "volume3d" };
const TOOLS = ["default", "mpr", "volume3d"];
const DESCRIPTION_WEIGHT = 20;
// Colours and opacities of a rendered volume, as in the viewer's own layouts.
const SOLID = { CT: "CT-Bone", MR: "MR-Default", default: "CT-Bone" };
const PLAIN = "Grayscale";
// Read in black on white by choice; of other images the kind of their pixels decides.
const INVERTIBLE = "PT";
const STRAIGHT = 0.99; // cosine from which on a view counts as lying in a plane of the body

export const protocolId = (row) => `openpacs-${row.key}`;

/** Let the viewer know what our protocols ask for beyond its own attributes. */
export function addAttributes(hangingProtocolService) {
  hangingProtocolService.addCustomAttribute(
    "openpacsVolume",
    "Has a series that is a volume",
    (study, { displaySets }) => displaySets.some((one) => one.isReconstructable),
  );
  // Computed for each viewport: `this` is what stands in its initialImageOptions.
  hangingProtocolService.addCustomAttribute(POSITION, "Share of the way through", function (sets) {
    const slices = sets[0]?.numImageFrames ?? sets[0]?.instances?.length ?? 0;
    return slices ? { index: Math.round(this.share * (slices - 1)) } : undefined;
  });
}

// ---- from ours to the viewer's

const equals = (value) => ({ equals: { value } });

function seriesRules(series, kind) {
  const rules = [{ attribute: "numImageFrames", constraint: { greaterThan: { value: 1 } }, required: true }];
  if (series.modality) rules.push({ attribute: "Modality", constraint: equals(series.modality), required: true });
  if (kind !== "stack") rules.push({ attribute: "isReconstructable", constraint: equals(true), required: true });
  if (series.description) {
    const constraint = equals(series.description);
    rules.push({ attribute: "SeriesDescription", constraint, weight: DESCRIPTION_WEIGHT });
  }
  return rules;
}

function selectorOf(series, kind) {
  const value = series.study === "prior" ? PRIOR : CURRENT;
  const whose = { attribute: "studyInstanceUIDsIndex", from: "options", required: true };
  return {
    studyMatchingRules: [{ ...whose, constraint: equals(value) }],
    seriesMatchingRules: seriesRules(series, kind),
  };
}

function optionsOf(series, kind) {
  if (kind === "volume3d") return { displayPreset: series.preset ? { default: series.preset } : SOLID };
  const options = {};
  if (series.inverted) options.voiInverted = true;
  if (series.blend !== "none") Object.assign(options, { blendMode: series.blend, slabThickness: series.slab });
  if (series.window) {
    options.voi = { windowWidth: series.window.width, windowCenter: series.window.center };
  }
  if (series.colours) options.colormap = colormapOf(series.colours);
  return options;
}

function colormapOf({ name, opacity, curve, threshold }) {
  return { name, opacity: opacity ?? curve, ...(threshold !== null && { threshold }) };
}

function startOf(viewport) {
  if (viewport.kind === "stack" && viewport.position !== null) {
    return { custom: POSITION, share: viewport.position, defaultValue: { preset: "first" } };
  }
  return { preset: viewport.kind === "stack" ? "first" : "middle" };
}

function viewportOptionsOf(viewport) {
  const sync = [{ type: "hydrateseg", id: "sameFORId", source: true, target: true }];
  if (viewport.tools === "mpr") {
    sync.unshift({ type: "voi", id: "mpr", source: true, target: true, options: { syncColormap: true } });
  }
  return {
    viewportType: viewport.kind,
    toolGroupId: viewport.tools,
    allowUnmatchedView: true,
    initialImageOptions: startOf(viewport),
    syncGroups: sync,
    ...(viewport.orientation && { orientation: viewport.orientation }),
  };
}

/** Which studies may open with it: the server has chosen it for this one. */
function studyRules(row, studyUid) {
  const rules = [{ attribute: "StudyInstanceUID", constraint: equals(studyUid), required: true, weight: row.weight }];
  if (row.modality) {
    rules.push({ attribute: "ModalitiesInStudy", constraint: { contains: [row.modality] }, required: true });
  }
  if (row.layout.viewports.some((one) => one.kind !== "stack")) {
    rules.push({ attribute: "openpacsVolume", constraint: equals(true), required: true });
  }
  return rules;
}

/** The viewer's hanging protocol of a kept layout, for this study. */
export function protocolOf(row, studyUid) {
  const { rows, columns, viewports } = row.layout;
  const selectors = {};
  const shown = viewports.map((viewport, at) => ({
    viewportOptions: viewportOptionsOf(viewport),
    displaySets: viewport.series.map((series, number) => {
      const id = `series-${at}-${number}`;
      selectors[id] = selectorOf(series, viewport.kind);
      return { id, matchedDisplaySetsIndex: series.place, options: optionsOf(series, viewport.kind) };
    }),
  }));
  const layoutOptions = viewports.map(({ x, y, width, height }) => ({ x, y, width, height }));
  const grid = { layoutType: "grid", properties: { rows, columns, layoutOptions } };
  return {
    id: protocolId(row),
    name: row.name,
    protocolMatchingRules: studyRules(row, studyUid),
    toolGroupIds: ["default"],
    numberOfPriorsReferenced: showsPrior(row) ? 1 : 0,
    displaySetSelectors: selectors,
    defaultViewport: {
      viewportOptions: { viewportType: "stack", toolGroupId: "default", allowUnmatchedView: true },
      displaySets: [],
    },
    stages: [{ id: "kept", name: row.name, viewportStructure: grid, viewports: shown }],
  };
}

export function showsPrior(row) {
  return row.layout.viewports.some((one) => one.series.some((series) => series.study === "prior"));
}

// ---- from the screen to ours

function alike(displaySet, services) {
  const { StudyInstanceUID, Modality, SeriesDescription } = displaySet;
  const all = services.displaySetService.getActiveDisplaySets();
  const same = all.filter(
    (one) =>
      one.StudyInstanceUID === StudyInstanceUID &&
      one.Modality === Modality &&
      (one.SeriesDescription ?? "") === (SeriesDescription ?? ""),
  );
  return same.sort((one, other) => Number(one.SeriesNumber) - Number(other.SeriesNumber));
}

/**
 * Width and centre of what a viewport shows, as DICOM counts them; null without an image.
 *
 * Of several series in it that of `volumeId`, else the first.
 */
export function windowOf(viewport, volumeId = undefined) {
  const { lower, upper } = viewport?.getProperties?.(volumeId)?.voiRange ?? {};
  if (!(upper > lower)) return null;
  return { width: upper - lower + 1, center: (upper + lower + 1) / 2 };
}

function coloursOf({ colormap }) {
  const { name, opacity = 1, threshold = null } = colormap ?? {};
  if (!name || (name === PLAIN && opacity === 1)) return null;
  const curve = Array.isArray(opacity) ? opacity.map(({ value, opacity: at }) => ({ value, opacity: at })) : [];
  return { name, opacity: Array.isArray(opacity) ? null : opacity, curve, threshold };
}

function capturedSeries(uid, viewport, studyUid, services) {
  const displaySet = services.displaySetService.getDisplaySetByUID(uid);
  const volumeId = viewport.getAllVolumeIds?.().find((id) => id.includes(uid));
  const shown = viewport.getProperties(volumeId) ?? {};
  const solid = viewport.type === "volume3d";
  const blend = viewport.type === "orthographic" ? blendOf(viewport) : "none";
  return {
    study: displaySet.StudyInstanceUID === studyUid ? "current" : "prior",
    modality: displaySet.Modality ?? "",
    description: (displaySet.SeriesDescription ?? "").slice(0, 128),
    place: Math.max(0, alike(displaySet, services).indexOf(displaySet)),
    blend,
    slab: blend === "none" ? null : viewport.getSlabThickness(),
    window: solid ? null : windowOf(viewport, volumeId),
    inverted: displaySet.Modality === INVERTIBLE && Boolean(shown.invert),
    colours: solid ? null : coloursOf(shown),
    preset: solid ? (shown.preset ?? "") : "",
  };
}

function orientationOf(viewport) {
  if (viewport.type !== "orthographic") return null;
  const [x, y, z] = viewport.getCamera().viewPlaneNormal.map(Math.abs);
  const planes = { sagittal: x, coronal: y, axial: z };
  return Object.keys(planes).find((name) => planes[name] > STRAIGHT) ?? "acquisition";
}

function positionOf(viewport) {
  if (viewport.type !== "stack") return null;
  const last = viewport.getImageIds().length - 1;
  return last > 0 ? viewport.getCurrentImageIdIndex() / last : null;
}

function capturedViewport(held, studyUid, services) {
  const viewport = services.cornerstoneViewportService.getCornerstoneViewport(held.viewportId);
  const { x, y, width, height, displaySetInstanceUIDs, viewportOptions } = held;
  const kind = KINDS[viewport?.type];
  const image = kind !== undefined;
  const tools = TOOLS.includes(viewportOptions?.toolGroupId) ? viewportOptions.toolGroupId : "default";
  return {
    x,
    y,
    width,
    height,
    kind: kind ?? "stack",
    tools,
    orientation: image ? orientationOf(viewport) : null,
    position: image ? positionOf(viewport) : null,
    series: image
      ? displaySetInstanceUIDs.map((uid) => capturedSeries(uid, viewport, studyUid, services))
      : [],
  };
}

/** What is on the screen, as a layout of ours. */
export function capture(services, studyUid) {
  const { layout, viewports } = services.viewportGridService.getState();
  return {
    version: VERSION,
    rows: layout.numRows,
    columns: layout.numCols,
    viewports: [...viewports.values()].map((held) => capturedViewport(held, studyUid, services)),
  };
}

/** The same without windows: of images whose values mean nothing from study to study. */
export function withoutWindows(layout) {
  const plain = (viewport) => ({
    ...viewport,
    series: viewport.series.map((series) => ({ ...series, window: null })),
  });
  return { ...layout, viewports: layout.viewports.map(plain) };
}
