// Front-desk pages: a list that narrows while one types, forms that go off when a choice is made.

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

for (const field of document.querySelectorAll("[data-filter]")) {
  const list = document.querySelector(field.dataset.filter);
  field.addEventListener("input", () => {
    const words = plain(field.value).split(/\s+/).filter(Boolean);
    for (const entry of list.querySelectorAll("[data-filter-text]")) {
      const chosen = entry.querySelector("input")?.checked;
      const text = plain(entry.dataset.filterText);
      entry.hidden = !chosen && !words.every((word) => text.includes(word));
    }
  });
  // Enter takes the first that is shown instead of sending the form.
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    list.querySelector("[data-filter-text]:not([hidden]) input")?.click();
  });
}

for (const form of document.querySelectorAll("form[data-submit-on-change]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// Of a ticked and a written time the later one counts: the other is taken back. Ticking
// changes nothing that is offered, so the offer is not asked for again: a time of another
// day would be lost.
const takeBack = (event) => {
  const { target } = event;
  const written = document.querySelector("input[name='other_time']");
  if (target.name === "starts_at") {
    event.stopPropagation();
    if (written) written.value = "";
  } else if (target === written && written.value) {
    for (const ticked of document.querySelectorAll("input[name='starts_at']:checked")) ticked.checked = false;
  }
};
document.addEventListener("change", takeBack, { capture: true });
