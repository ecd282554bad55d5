// A picture that cannot be had leaves its box with the modality in it.

document.addEventListener(
  "error",
  (event) => {
    if (event.target.matches?.("[data-thumbnail]")) event.target.hidden = true;
  },
  { capture: true },
);
