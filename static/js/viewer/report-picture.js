// The picture of the active viewport, put into the report that is being written.
/* global openpacs */
import { post } from "./asking.js";
import { capture, describe, viewportsOf } from "./capture.js";
import { button } from "./toolbar.js";

const { address, words } = openpacs.reportPicture;
const LONGEST = 1400; // pixels: a picture is half a page wide

/** The report page around this viewer, if there is one of our own. */
function reportBeside() {
  if (window.self === window.top) return null;
  try {
    return window.top.document.querySelector("[data-report-pictures]");
  } catch {
    return null; // the page around is not ours
  }
}

async function putIntoReport(context) {
  const shown = viewportsOf(context).filter((one) => one.active);
  if (!shown.length) return tell(context, words.nothing, "warning");
  const beside = reportBeside();
  const known = describe(shown[0], context, words);
  const [picture] = await capture(shown, LONGEST);
  const body = new FormData();
  body.append("picture", picture, "picture.jpg");
  body.append("caption", [known.caption, ...known.measurements].join("; ").slice(0, 300));
  for (const name of ["study", "series", "instance", "frame"]) body.append(name, known[name]);
  if (beside) body.append("report", beside.dataset.reportPictures);
  for (const uid of opened()) body.append("opened", uid);
  const answer = await post(address, { body });
  const said = await answer.json().catch(() => ({ said: words.failed }));
  tell(context, said.said, answer.ok ? "success" : "warning");
  // A viewer in a frame has the page around it show the picture.
  beside?.dispatchEvent(new CustomEvent("pictures-changed"));
}

function opened() {
  const given = new URLSearchParams(location.search).getAll("StudyInstanceUIDs");
  return given.join(",").split(",").filter(Boolean);
}

function tell({ servicesManager }, message, type) {
  const { uiNotificationService } = servicesManager.services;
  uiNotificationService.show({ title: words.title, message, type });
}

export const commands = (context) => ({
  openpacsReportPicture: () =>
    putIntoReport(context).catch(() => tell(context, words.failed, "error")),
});

export const buttons = () =>
  address
    ? [
        button({
          id: "openpacsReportPicture",
          section: "primary",
          icon: "dicom-tag-browser",
          label: words.title,
          tooltip: words.tooltip,
        }),
      ]
    : [];
