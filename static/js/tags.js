// The header of an image: finding in it, copying out of it, stepping on by keys.

const field = document.querySelector("[data-tag-filter]");
const count = document.querySelector("[data-tag-count]");
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const tags = [...document.querySelectorAll("[data-tag]")].map((element) => {
  const own = element.querySelector(".tag-row");
  return { element, text: plain(own.textContent.replace(/\s+/g, " ")) };
});

function find() {
  const words = plain(field.value).split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { element, text } of tags) {
    const fits = words.every((word) => text.includes(word));
    found += fits;
    element.hidden = !fits;
  }
  if (words.length) {
    for (const { element } of tags) if (!element.hidden) show(element);
  }
  count.textContent = words.length ? count.dataset.found.replace("%(count)s", String(found)) : "";
}

// What is found deep inside is shown with all that it is in.
function show(element) {
  for (let above = element.parentElement?.closest("[data-tag]"); above; above = above.parentElement?.closest("[data-tag]")) {
    above.hidden = false;
    const fold = above.querySelector("details");
    if (fold) fold.open = true;
  }
}

let waiting = 0;
field.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(find, 120);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const icon = button.querySelector(".ti");
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    icon.className = "ti ti-check";
  } catch {
    // Without a secure connection browsers copy only what is selected.
    getSelection().selectAllChildren(button.closest(".tag-row").querySelector(".tag-value"));
    icon.className = "ti ti-alert-circle";
  }
  setTimeout(() => (icon.className = "ti ti-copy"), 1500);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const way = { j: "next", k: "prev" }[event.key];
  if (way) document.querySelector(`a[rel=${way}]`)?.click();
});
