// Rectangles to be blanked, drawn on the picture of a held object instead of typed.

function shownArea(picture) {
  const box = picture.getBoundingClientRect();
  const scale = Math.min(box.width / picture.dataset.columns, box.height / picture.dataset.rows);
  const width = picture.dataset.columns * scale;
  const height = picture.dataset.rows * scale;
  const left = box.left + (box.width - width) / 2;
  const top = box.top + (box.height - height) / 2;
  return { left, top, scale };
}

function region(picture, from, to) {
  const area = shownArea(picture);
  const within = (value, most) => Math.round(Math.min(Math.max(value / area.scale, 0), most));
  const across = [from.clientX, to.clientX].map((x) => within(x - area.left, picture.dataset.columns));
  const down = [from.clientY, to.clientY].map((y) => within(y - area.top, picture.dataset.rows));
  const [left, right] = across.sort((a, b) => a - b);
  const [top, bottom] = down.sort((a, b) => a - b);
  return [left, top, right - left, bottom - top];
}

function frame(holder, from, to) {
  const box = holder.getBoundingClientRect();
  const mark = document.createElement("span");
  mark.className = "held-region";
  mark.style.left = `${Math.min(from.clientX, to.clientX) - box.left}px`;
  mark.style.top = `${Math.min(from.clientY, to.clientY) - box.top}px`;
  mark.style.width = `${Math.abs(to.clientX - from.clientX)}px`;
  mark.style.height = `${Math.abs(to.clientY - from.clientY)}px`;
  holder.append(mark);
}

for (const picture of document.querySelectorAll("img[data-regions]")) {
  const holder = picture.parentElement;
  let from = null;
  let drawn = false;
  picture.draggable = false;
  holder.draggable = false;
  picture.addEventListener("pointerdown", (event) => {
    from = event;
    drawn = false;
    picture.setPointerCapture(event.pointerId);
  });
  picture.addEventListener("pointerup", (event) => {
    const made = from && region(picture, from, event);
    if (made && made[2] > 2 && made[3] > 2) {
      const field = document.getElementById(picture.dataset.regions);
      field.value = [field.value, made.join(" ")].filter(Boolean).join("; ");
      frame(holder, from, event);
      drawn = true;
    }
    from = null;
  });
  // A rectangle was drawn: the picture is not to be opened as well.
  holder.addEventListener("click", (event) => {
    if (drawn) event.preventDefault();
    drawn = false;
  });
}
