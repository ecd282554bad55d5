// Every measurement counts, without being asked. OHIF asks whether a series is to be tracked,
// and reads a stored report only after a question; here it is answered for the reader, and
// always so that nothing on the screen is dropped. Its other mode without questions
// ("simplified") drops what was drawn when a stored report comes into the viewport.
const KEEP = 0; // what its state machine understands: go on as it was,
const ADD = 2; // take the series to the tracked ones,
const BEGIN = 3; // begin with this study and series,
const READ = 5; // the report was read

const asked = (event) => event.data ?? event; // after a question of its own it is in `data`

const answer = (event, userResponse) => {
  const { StudyInstanceUID, SeriesInstanceUID, viewportId } = asked(event);
  return { userResponse, StudyInstanceUID, SeriesInstanceUID, viewportId, isBackupSave: false };
};

// A report of OHIF is of one study: measurements in another stay beside it.
const inAnotherStudy = (tracked, event) => answer(event, tracked.trackedStudy ? KEEP : BEGIN);

// Asked while nothing is tracked only.
function readReport({ commandsManager, servicesManager }, event) {
  const { displaySetInstanceUID, viewportId } = asked(event);
  const { SeriesInstanceUID } = servicesManager.services.displaySetService.getDisplaySetByUID(displaySetInstanceUID);
  const read = commandsManager.runCommand("hydrateStructuredReport", { displaySetInstanceUID });
  const found = { StudyInstanceUID: read.StudyInstanceUID, SeriesInstanceUIDs: read.SeriesInstanceUIDs };
  return { userResponse: READ, displaySetInstanceUID, srSeriesInstanceUID: SeriesInstanceUID, viewportId, ...found };
}

export function enter({ servicesManager }) {
  const answers = {
    promptBeginTracking: async (_managers, _tracked, event) => answer(event, BEGIN),
    promptTrackNewSeries: async (_managers, _tracked, event) => answer(event, ADD),
    promptTrackNewStudy: async (_managers, tracked, event) => inAnotherStudy(tracked, event),
    promptHydrateStructuredReport: async (managers, _tracked, event) => readReport(managers, event),
  };
  const named = Object.entries(answers).map(([name, $set]) => [`measurement.${name}`, { $set }]);
  servicesManager.services.customizationService.setCustomizations(Object.fromEntries(named));
}
