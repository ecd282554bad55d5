// What OHIF measured, as a person writes it: "12.3 × 8.1 mm", "area 120 mm², mean 35.2 HU".
// The numbers stand in `measurement.data`, by the image they were taken from (cornerstone's
// cachedStats); which ones there are tells what kind of measurement it is.

// Numbers with one decimal, two where that would say little; no needless zeros.
function number(value) {
  const digits = Math.abs(value) < 1 ? 2 : 1;
  return String(Number(value.toFixed(digits)));
}

function quantity(value, unit) {
  const numbers = (Array.isArray(value) ? value : [value]).filter(Number.isFinite);
  if (numbers.length === 0) return "";
  return `${numbers.map(number).join(", ")}${unit ? ` ${unit}` : ""}`;
}

function fill(pattern, values) {
  return pattern.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function region(stats, words) {
  const parts = [
    ["area", stats.area, stats.areaUnit],
    ["mean", stats.mean, stats.modalityUnit],
    ["deviation", stats.stdDev, stats.modalityUnit],
    ["min", stats.min, stats.modalityUnit],
    ["max", stats.max, stats.modalityUnit],
  ];
  return parts
    .map(([name, value, unit]) => [name, quantity(value, unit)])
    .filter(([, said]) => said)
    .map(([name, said]) => fill(words[name], { value: said }))
    .join(", ");
}

function directional({ xValues, yValues, units, isUnitless }) {
  if (isUnitless) return quantity(xValues[0], units[0]);
  const across = quantity(Math.abs(xValues[1] - xValues[0]), units[0]);
  return `${across}, ${quantity(Math.abs(yValues[1] - yValues[0]), units[1])}`;
}

// The first numbers that say something: a measurement may be seen in several images.
function statsOf(data) {
  const all = Object.values(data ?? {}).filter((one) => one && typeof one === "object");
  const said = ["length", "area", "angle", "value", "mean", "xValues"];
  return all.find((one) => said.some((name) => one[name] !== undefined && one[name] !== null));
}

// The value of a measurement in words; "" for an arrow, which has none.
export function valueOf(measurement, words) {
  const stats = statsOf(measurement.data);
  if (!stats) return "";
  if (stats.xValues) return directional(stats);
  if (Number.isFinite(stats.length) && Number.isFinite(stats.width)) {
    return `${number(stats.length)} × ${quantity(stats.width, stats.unit ?? "mm")}`;
  }
  if (Number.isFinite(stats.length)) return quantity(stats.length, stats.unit ?? "mm");
  if (Number.isFinite(stats.angle)) return `${number(stats.angle)}°`;
  if (stats.area !== undefined || stats.mean !== undefined) return region(stats, words);
  return quantity(stats.value, stats.modalityUnit);
}

// Where it was taken: "series 3, image 45".
export function placeOf(measurement, displaySet, words) {
  const instances = displaySet?.instances ?? displaySet?.images ?? [];
  const image = instances.find((one) => one.SOPInstanceUID === measurement.SOPInstanceUID);
  const parts = [
    ["series", displaySet?.SeriesNumber],
    ["image", image?.InstanceNumber],
    ["frame", displaySet?.isMultiFrame ? measurement.frameNumber : undefined],
  ];
  return parts
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => fill(words[name], { number: value }))
    .join(", ");
}

export function labelOf(measurement, words) {
  const own = measurement.label?.trim();
  return own || words.tools[measurement.toolName] || words.other;
}
