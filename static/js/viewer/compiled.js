// Has the browser keep the viewer's scripts compiled, before they are needed a second time.
//
// A browser keeps a script compiled only when it runs it again, and does so at once: the second
// study somebody opened would wait a tenth of a second for it. So the large scripts run again
// as soon as the first image is on the screen, once for each version of the viewer. That does
// nothing but keep them: chunks that are there are not put in again, and the main bundle
// returns at its first line (apps/viewer/ohif.py).
const DONE = "openpacsCompiled"; // in localStorage: the main bundle this was done for
const WORTH_IT = 100_000; // characters

const mainBundle = () => document.querySelector('script[src*="/app.bundle."]')?.src;

function largeScripts() {
  const all = performance.getEntriesByType("resource");
  const scripts = all.filter(
    (one) => ["script", "link"].includes(one.initiatorType) && /\.bundle\.\w+\.js$/.test(one.name),
  );
  const large = scripts.filter((one) => one.decodedBodySize > WORTH_IT).map((one) => one.name);
  return [...new Set([mainBundle(), ...large])]; // what takes longest first
}

function runAgain(src) {
  const script = document.createElement("script");
  const done = new Promise((resolve) => {
    script.onload = script.onerror = resolve;
  });
  script.src = src;
  document.head.append(script);
  return done.then(() => script.remove());
}

async function keep() {
  await Promise.all(largeScripts().map(runAgain));
  localStorage.setItem(DONE, mainBundle());
}

// The image is painted right after its event; scripts that are put in now run behind that.
export function prepare() {
  // A bundle from before the guard would start the viewer a second time.
  if (!globalThis.openpacsGuarded || localStorage.getItem(DONE) === mainBundle()) return;
  const once = { capture: true, once: true };
  document.addEventListener(
    "CORNERSTONE_STACK_NEW_IMAGE",
    () => document.addEventListener("CORNERSTONE_IMAGE_RENDERED", keep, once),
    once,
  );
}
