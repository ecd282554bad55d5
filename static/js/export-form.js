// Shows only what belongs to the chosen kind of export.

for (const form of document.querySelectorAll("[data-export-form]")) {
  const show = () => {
    const kind = new FormData(form).get("kind");
    for (const part of form.querySelectorAll("[data-for]")) {
      part.hidden = !part.dataset.for.split(" ").includes(kind);
    }
  };
  form.addEventListener("change", show);
  show();
}
