// Shows the pictures beside this page: a plain script, as browsers load no modules from files.
"use strict";

(() => {
  const words = JSON.parse(document.body.dataset.words);
  const labels = { D: words.usual, L: words.lung, B: words.bone };
  const at = (id) => document.getElementById(id);
  const picture = at("picture");
  let images = [];
  let shown = 0;
  let playing = 0;

  const source = (image, letter) =>
    `${image.file}${image.windows.includes(letter) ? letter : image.windows[0]}.JPG`;

  function show(number) {
    if (!images.length) return;
    shown = (number + images.length) % images.length;
    picture.src = source(images[shown], at("window").value);
    at("slider").value = String(shown + 1);
    at("place").value = `${words.image} ${shown + 1} / ${images.length}`;
    const next = images[(shown + 1) % images.length];
    new Image().src = source(next, at("window").value);
  }

  function play(on) {
    clearInterval(playing);
    playing = on ? setInterval(() => show(shown + 1), 1000 / 12) : 0;
    at("play").setAttribute("aria-pressed", String(on));
  }

  function shade() {
    const filter = `brightness(${at("brightness").value}%) contrast(${at("contrast").value}%)`;
    picture.style.filter = filter;
  }

  function open(study, series, button) {
    play(false);
    for (const other of document.querySelectorAll("nav button")) {
      other.setAttribute("aria-current", String(other === button));
    }
    at("patient").textContent = [study.patient, study.number].filter(Boolean).join(" · ");
    at("study").textContent = [study.date, study.description, series.description].filter(Boolean).join(" · ");
    images = series.images;
    at("window").replaceChildren(
      ...(images[0]?.windows ?? []).map((letter) => new Option(labels[letter], letter)),
    );
    at("windows").hidden = at("window").options.length < 2;
    at("slider").max = String(Math.max(images.length, 1));
    picture.hidden = !images.length;
    at("nothing").hidden = Boolean(images.length);
    at("nothing").textContent = words.nothing;
    at("place").value = "";
    show(0);
  }

  function entry(study, series) {
    const button = document.createElement("button");
    button.type = "button";
    const middle = series.images[Math.floor(series.images.length / 2)];
    const small = document.createElement("img");
    small.alt = "";
    if (middle) small.src = source(middle, "D");
    else small.hidden = true;
    const text = document.createElement("span");
    text.className = "told";
    text.textContent = [series.modality, series.description].filter(Boolean).join(" ");
    const count = document.createElement("small");
    const many = series.images.length;
    count.textContent = many === 1 ? words.one : many ? `${many} ${words.images}` : words.nothing;
    text.append(count);
    button.append(small, text);
    button.addEventListener("click", () => open(study, series, button));
    return button;
  }

  for (const study of window.studies) {
    const title = document.createElement("h2");
    const who = study.patient || study.number;
    title.textContent = [who, study.date, study.description].filter(Boolean).join(" · ");
    at("series").append(title, ...study.series.map((series) => entry(study, series)));
  }

  at("slider").addEventListener("input", (event) => show(Number(event.target.value) - 1));
  at("window").addEventListener("change", () => show(shown));
  at("brightness").addEventListener("input", shade);
  at("contrast").addEventListener("input", shade);
  at("play").addEventListener("click", () => play(!playing));
  at("reset").addEventListener("click", () => {
    at("brightness").value = at("contrast").value = "100";
    at("window").selectedIndex = 0;
    shade();
    show(shown);
  });
  at("stage").addEventListener("wheel", (event) => {
    event.preventDefault();
    show(shown + Math.sign(event.deltaY));
  }, { passive: false });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select")) return;
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10 };
    if (event.key in steps) {
      event.preventDefault();
      show(shown + steps[event.key]);
    }
  });

  document.querySelector("nav button")?.click();
})();
