// The browser's Back and Forward between studies: they go through a question, too.
import { isFreeToGo } from "./reading.js";

let at = history.state?.idx ?? 0; // the viewer's router counts its places
let returning = false;
let watch = () => false; // is there something to ask about?

async function askAndGo(steps) {
  if (await isFreeToGo()) history.go(steps);
}

function moved(event) {
  const to = event.state?.idx;
  if (returning) {
    returning = false;
    event.stopImmediatePropagation();
  } else if (to === undefined || to === at || !watch()) {
    at = to ?? at;
  } else {
    // The address has changed already: back to what is shown, until it is said.
    event.stopImmediatePropagation();
    returning = true;
    const steps = to - at;
    history.go(-steps);
    askAndGo(steps);
  }
}

export function watchHistory(isToBeAsked) {
  watch = isToBeAsked;
}

window.addEventListener("popstate", moved, true);

export function enter() {
  at = history.state?.idx ?? at;
}
