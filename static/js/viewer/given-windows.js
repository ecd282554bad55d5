// A window without width shows nothing: as without one, the viewer takes all values instead.
//
// PS3.3 C.11.2.1.2 wants a width of 1 at least; some devices write 0 into every image.
let subscription = null;

const isEmpty = (width) => [width ?? 1].flat().every((one) => Number(one) <= 0);

function dropEmpty(displaySets) {
  const instances = displaySets.flatMap((one) => one.instances ?? []);
  for (const one of instances.filter(({ WindowWidth }) => isEmpty(WindowWidth))) {
    delete one.WindowWidth;
    delete one.WindowCenter;
  }
}

export function enter({ servicesManager }) {
  const { displaySetService } = servicesManager.services;
  const { DISPLAY_SETS_ADDED } = displaySetService.EVENTS;
  dropEmpty(displaySetService.getActiveDisplaySets());
  subscription = displaySetService.subscribe(DISPLAY_SETS_ADDED, ({ displaySetsAdded }) =>
    dropEmpty(displaySetsAdded),
  );
}

export function leave() {
  subscription?.unsubscribe();
  subscription = null;
}
