// What is saved from the viewer names the person who saves it: the viewer itself writes
// `unknown^unknown` as the observer of a report, and nobody as the creator of a segmentation.
/* global openpacs */
const { author } = openpacs.saving;
const OBSERVER = "121008"; // Person Observer Name, PS3.16 TID 1003
const wrapped = new WeakSet();

const list = (value) => (Array.isArray(value) ? value : value ? [value] : []);

function sign(dataset) {
  for (const item of list(dataset.ContentSequence)) {
    if (list(item.ConceptNameCodeSequence)[0]?.CodeValue === OBSERVER) item.PersonName = author;
  }
  if ("ContentLabel" in dataset || dataset.Modality === "SEG") dataset.ContentCreatorName = author;
  if (dataset.Modality === "RTSTRUCT") dataset.OperatorsName = author;
  return dataset;
}

export function enter({ extensionManager }) {
  for (const source of extensionManager.getActiveDataSource()) {
    const { store } = source;
    if (!store?.dicom || wrapped.has(store)) continue;
    wrapped.add(store);
    const { dicom } = store;
    store.dicom = (dataset, ...rest) => dicom.call(store, isNamed(dataset) ? sign(dataset) : dataset, ...rest);
  }
}

// Not a file that is passed on as it is.
const isNamed = (dataset) => !(dataset instanceof ArrayBuffer) && !ArrayBuffer.isView(dataset);
