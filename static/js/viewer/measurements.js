// Tells the page of a report what is measured; it decides what goes into the text.
/* global openpacs */
import { labelOf, placeOf, valueOf } from "./measurement-values.js";
import { send, whenGreeted } from "./reading.js";
import { key } from "./strip.js";

const { words } = openpacs.measurements;
let services = null;
let subscriptions = [];
let waiting = false;

function told(measurement) {
  const displaySet = services.displaySetService.getDisplaySetByUID(
    measurement.displaySetInstanceUID,
  );
  return {
    id: measurement.uid,
    study: measurement.referenceStudyUID,
    label: labelOf(measurement, words),
    value: valueOf(measurement, words),
    place: placeOf(measurement, displaySet, words),
  };
}

function tell(to) {
  waiting = false;
  const found = services?.measurementService.getMeasurements() ?? [];
  send({ kind: "measured", measurements: found.map(told), to });
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
// The key of the report's page, for hands that are in the images.
key("M", () => send({ kind: "insert" }));
