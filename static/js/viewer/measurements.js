// Tells the page of a report what is measured; it decides what goes into the text, and says so.
/* global openpacs */
import { labelOf, placeOf, valueOf } from "./measurement-values.js";
import { send, whenGreeted, whenTold } from "./reading.js";
import { key } from "./strip.js";

const { words } = openpacs.measurements;
const loaded = new Set(); // came from a stored report
let inText = new Set(); // stand in the text of a report as they are
let offered = new Set(); // the page of a report would put them there
let services = null;
let subscriptions = [];
let waiting = false;

const all = () => services?.measurementService.getMeasurements() ?? [];

const isKept = ({ uid, isDirty }) => inText.has(uid) || (loaded.has(uid) && !isDirty);

// Neither stored with the images nor in the text of a report.
export const unsaved = () => all().filter((one) => !isKept(one));

export const areOffered = (list) => list.every(({ uid }) => inText.has(uid) || offered.has(uid));

export function told(measurement) {
  const displaySet = services.displaySetService.getDisplaySetByUID(
    measurement.displaySetInstanceUID,
  );
  return {
    id: measurement.uid,
    kept: isKept(measurement),
    study: measurement.referenceStudyUID,
    label: labelOf(measurement, words),
    value: valueOf(measurement, words),
    place: placeOf(measurement, displaySet, words),
  };
}

function tell(to) {
  waiting = false;
  send({ kind: "measured", measurements: all().map(told), to });
}

// Moving a handle changes a measurement many times a second.
function tellSoon() {
  if (waiting) return;
  waiting = true;
  setTimeout(tell, 100);
}

export function enter({ servicesManager }) {
  leave();
  services = servicesManager.services;
  const { measurementService } = services;
  const events = measurementService.EVENTS;
  const changes = [
    events.MEASUREMENT_ADDED,
    events.RAW_MEASUREMENT_ADDED,
    events.MEASUREMENT_UPDATED,
    events.MEASUREMENTS_CLEARED,
  ];
  subscriptions = [
    ...changes.map((event) => measurementService.subscribe(event, tellSoon)),
    measurementService.subscribe(events.RAW_MEASUREMENT_ADDED, ({ measurement }) => {
      loaded.add(measurement.uid);
    }),
    measurementService.subscribe(events.MEASUREMENT_REMOVED, ({ measurement }) => {
      send({ kind: "removed", measurement: measurement.uid ?? measurement });
      tellSoon();
    }),
  ];
  tellSoon();
}

export function leave() {
  for (const one of subscriptions) one.unsubscribe();
  subscriptions = [];
}

whenGreeted((from) => tell(from));
whenTold("kept", (message) => {
  const before = unsaved().length;
  inText = new Set([...inText, ...message.inText].filter((id) => !message.changed.includes(id)));
  offered = new Set(message.offered);
  if (unsaved().length !== before) tellSoon();
});
// The key of the report's page, for hands that are in the images.
key("M", () => send({ kind: "insert" }));
