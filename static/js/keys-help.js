// The list of keys: "?" outside text fields, or its button.

const help = document.querySelector("[data-keys-help]");

function typing(event) {
  return event.target.closest("input, select, textarea, [contenteditable]");
}

document.addEventListener("click", (event) => {
  if (help && event.target.closest("[data-keys-help-open]")) help.showModal();
});

document.addEventListener("keydown", (event) => {
  if (help && event.key === "?" && !typing(event)) {
    event.preventDefault();
    help.showModal();
  }
});
