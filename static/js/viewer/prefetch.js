// Has the browser fetch what a study shows first, before it is opened: its list of series,
// their metadata, and the first images, into its own cache. Which study comes next, others say.
/* global openpacs */
const JSON_TYPE = "application/dicom+json";
// As the viewer itself asks for frames: the browser's cache goes by it (Vary: Accept).
const FRAME_TYPE = "application/octet-stream; transfer-syntax=*";
const SERIES = "includefield=00080021,00080031,0008103E,00200011";
const FIRST_IMAGES = 10; // of each series
const SERIES_WITH_IMAGES = 2;

const value = (row, tag) => row[tag]?.Value?.[0];

async function ask(address, accept) {
  // The journal has it as fetched, not as viewed, and nobody's session goes on by it.
  const headers = { Accept: accept, "X-Background": "1" };
  const answer = await fetch(address, { headers, priority: "low" });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer;
}

function frameAddresses(address, instances) {
  return instances
    .filter((one) => value(one, "00280010"))
    .sort((a, b) => (value(a, "00200013") ?? 0) - (value(b, "00200013") ?? 0))
    .slice(0, FIRST_IMAGES)
    .map((one) => `${address}/instances/${value(one, "00080018")}/frames/1`);
}

// Fetch the beginning of a study; `dicomweb`: where the studies are. Returns how many images
// came; never fails, as nobody has asked for the study yet.
export async function prefetchStudy(study, dicomweb = openpacs.site.dicomweb) {
  const address = `${dicomweb}/studies/${encodeURIComponent(study)}`;
  let images = 0;
  try {
    const series = await (await ask(`${address}/series?${SERIES}`, JSON_TYPE)).json();
    series.sort((a, b) => (value(a, "00200011") ?? 0) - (value(b, "00200011") ?? 0));
    let withImages = 0;
    for (const one of series) {
      const below = `${address}/series/${value(one, "0020000E")}`;
      const instances = await (await ask(`${below}/metadata`, JSON_TYPE)).json();
      const frames = frameAddresses(below, instances);
      if (!frames.length || ++withImages > SERIES_WITH_IMAGES) continue;
      for (const frame of frames) {
        await (await ask(frame, FRAME_TYPE)).arrayBuffer();
        images += 1;
      }
    }
  } catch {
    // What is missing then is fetched when the study is opened.
  }
  return images;
}

export const commands = () => ({
  openpacsPrefetchStudy: ({ study }) => prefetchStudy(study),
});
