// A series as a film: asked for here, made by a worker, taken when it is ready.
/* global openpacs */
import { post } from "./asking.js";

const { film, words } = openpacs.printing;
const PAUSE = 700; // ms between two looks

/** Ask for the film of what a form says, tell how far it is, and take it. */
export async function askForFilm(form, { series, instance, images, window: levels }, tell) {
  const given = Object.fromEntries(new FormData(form));
  const { first, last, step, speed } = given;
  const body = new URLSearchParams({ series, instance, first, last, step, speed, ...(levels ?? {}) });
  tell(words.filmAsked);
  const answer = await post(film, { body });
  const asked = await answer.json().catch(() => ({}));
  if (!answer.ok) return tell(asked.said ?? words.filmFailed);
  return follow(asked.state, tell);
}

async function follow(address, tell) {
  for (;;) {
    const answer = await fetch(address);
    const state = answer.ok ? await answer.json() : { said: words.filmFailed, over: true };
    tell(state.said);
    if (state.file) return take(state.file);
    if (state.over) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

function take(address) {
  const link = document.createElement("a");
  link.href = address;
  link.download = "";
  link.click();
}
