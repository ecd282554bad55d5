// A picture that cannot be had, or is still on its way, leaves its box with the modality in it.

const isThumbnail = (event) => event.target.matches?.("[data-thumbnail]");

document.addEventListener("load", (event) => isThumbnail(event) && (event.target.dataset.loaded = ""), {
  capture: true,
});
document.addEventListener("error", (event) => isThumbnail(event) && (event.target.hidden = true), {
  capture: true,
});
