// What a presentation state says, read from its DICOM JSON (PS3.3 C.10.4 to C.10.6, C.11).

export const values = (item, tag) => item?.[tag]?.Value ?? [];
export const first = (item, tag) => values(item, tag)[0];
const STEPS = 12;
const AROUND = 96;

// [{ uid, frames }] of the images that are named below an item.
function named(item) {
  return values(item, "00081140").map((one) => ({
    uid: first(one, "00081155"),
    frames: values(one, "00081160"),
  }));
}

export const images = (state) => values(state, "00081115").flatMap(named);

const concerns = (uid, frame) => (item) => {
  const all = named(item);
  const meant = (one) => one.uid === uid && (!one.frames.length || one.frames.includes(frame));
  return !all.length || all.some(meant);
};

export const itemsFor = (state, tag, uid, frame) => values(state, tag).filter(concerns(uid, frame));

// Lower and upper value of the window for an image, or null where there is none.
export function windowFor(state, uid, frame) {
  const [item] = itemsFor(state, "00283110", uid, frame);
  const [center, width] = [first(item, "00281050"), first(item, "00281051")].map(Number);
  if (!(width > 0)) return null;
  const exact = first(item, "00281056") === "LINEAR_EXACT";
  const half = exact ? width / 2 : (width - 1) / 2;
  const middle = exact ? center : center - 0.5;
  return { lower: middle - half, upper: middle + half };
}

// The edges of the displayed area in pixels from the outer corner of the image, or null.
export function areaFor(state, uid, frame) {
  const [item] = itemsFor(state, "0070005A", uid, frame);
  const corners = [values(item, "00700052"), values(item, "00700053")];
  if (!corners.every((one) => one.length === 2)) return null;
  const [xs, ys] = [0, 1].map((k) => corners.map((one) => one[k]));
  return {
    left: Math.min(...xs) - 1,
    right: Math.max(...xs),
    top: Math.min(...ys) - 1,
    bottom: Math.max(...ys),
  };
}

// Are there tables of grey values, or colours, that the viewer cannot take over?
export function hasTables(state, uid, frame) {
  const voi = itemsFor(state, "00283110", uid, frame)[0];
  return ["00283000", "20500010", "00281101"].some((tag) => state[tag]) || Boolean(voi?.["00283010"]);
}

function pairs(numbers) {
  return Array.from({ length: Math.floor(numbers.length / 2) }, (_, at) => [
    numbers[2 * at],
    numbers[2 * at + 1],
  ]);
}

function around([x, y], [ax, ay], [bx, by]) {
  return Array.from({ length: AROUND + 1 }, (_, at) => {
    const angle = (2 * Math.PI * at) / AROUND;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    return [x + ax * c + bx * s, y + ay * c + by * s];
  });
}

function curve(points) {
  if (points.length < 3) return points;
  const last = points.at(-1);
  const closed = points[0].join() === last.join();
  const all = [closed ? points.at(-2) : points[0], ...points, closed ? points[1] : last];
  const found = [];
  for (let at = 1; at < all.length - 2; at += 1) {
    const [a, b, c, d] = all.slice(at - 1, at + 3);
    for (let step = 0; step < STEPS; step += 1) {
      const t = step / STEPS;
      const along = (k) =>
        0.5 *
        (2 * b[k] +
          (c[k] - a[k]) * t +
          (2 * a[k] - 5 * b[k] + 4 * c[k] - d[k]) * t ** 2 +
          (3 * b[k] - a[k] - 3 * c[k] + d[k]) * t ** 3);
      found.push([along(0), along(1)]);
    }
  }
  return [...found, last];
}

// The points of the line that a graphic is.
function outline(kind, points) {
  if (kind === "INTERPOLATED") return curve(points);
  if (kind === "CIRCLE" && points.length === 2) {
    const radius = Math.hypot(points[1][0] - points[0][0], points[1][1] - points[0][1]);
    return around(points[0], [radius, 0], [0, radius]);
  }
  if (kind === "ELLIPSE" && points.length === 4) {
    const [one, two, side, other] = points;
    const half = (from, to) => [(to[0] - from[0]) / 2, (to[1] - from[1]) / 2];
    return around([(one[0] + two[0]) / 2, (one[1] + two[1]) / 2], half(one, two), half(side, other));
  }
  return points;
}

const units = (item, tag) => first(item, tag) === "DISPLAY";

// Lines and texts for an image; `display`: points are fractions of what is shown.
export function drawingsFor(state, uid, frame) {
  const annotations = itemsFor(state, "00700001", uid, frame);
  const lines = annotations.flatMap((one) => values(one, "00700009")).map((one) => ({
    kind: first(one, "00700023"),
    points: outline(first(one, "00700023"), pairs(values(one, "00700022"))),
    filled: first(one, "00700024") === "Y",
    display: units(one, "00700005"),
  }));
  const texts = annotations.flatMap((one) => values(one, "00700008")).map((one) => ({
    words: String(first(one, "00700006") ?? ""),
    box: [values(one, "00700010"), values(one, "00700011")],
    boxDisplay: units(one, "00700003"),
    anchor: values(one, "00700014"),
    anchorDisplay: units(one, "00700004"),
    joined: first(one, "00700015") === "Y",
  }));
  return { lines, texts };
}

// What the shutters leave open, each as a ring of points of the image.
export function openings(state) {
  const number = (tag) => Number(first(state, tag));
  const found = [];
  for (const shape of values(state, "00181600")) {
    if (shape === "RECTANGULAR") {
      const [left, right] = [number("00181602") - 1, number("00181604")];
      const [top, bottom] = [number("00181606") - 1, number("00181608")];
      found.push([[left, top], [right, top], [right, bottom], [left, bottom]]);
    } else if (shape === "CIRCULAR") {
      const [row, column] = values(state, "00181610").map((one) => one - 0.5);
      const radius = number("00181612");
      found.push(around([column, row], [radius, 0], [0, radius]));
    } else if (shape === "POLYGONAL") {
      found.push(pairs(values(state, "00181620")).map(([row, column]) => [column - 0.5, row - 0.5]));
    }
  }
  return found;
}
