// The star in the toolbar, and the list of key images that opens below it.
/* global openpacs, commandsManager */
const { mayMark, titles, words } = openpacs.keyImages;
const STAR = "M12 2.6l2.9 5.9 6.5.9-4.7 4.6 1.1 6.5L12 17.4l-5.8 3.1 1.1-6.5L2.6 9.4l6.5-.9z";
const run = (name, options = {}) => commandsManager.runCommand(name, options, "openpacs");

const BOX = {
  position: "absolute", top: "100%", right: 0, zIndex: 60, width: "17rem", padding: ".75rem",
  background: "#041c4a", border: "1px solid #2b4a86", borderRadius: ".4rem", color: "#fff",
  fontSize: ".85rem", textAlign: "left",
};
const ROW = { display: "block", width: "100%", padding: ".3rem .2rem", textAlign: "left" };
const FIELD = { width: "100%", background: "#000", color: "#fff", padding: ".25rem", borderRadius: ".25rem" };

function star(isMarked) {
  const drawn = { fill: isMarked ? "#ffd54a" : "none", stroke: isMarked ? "#ffd54a" : "currentColor" };
  return openpacs.React.createElement(
    "svg",
    { width: 26, height: 26, viewBox: "0 0 24 24", "aria-hidden": true },
    openpacs.React.createElement("path", { d: STAR, strokeWidth: 1.4, ...drawn }),
  );
}

function named(one) {
  const frame = one.frame ? `, ${words.frame} ${one.frame}` : "";
  const said = [one.words, one.author].filter(Boolean).join(", ");
  return `${one.seriesNumber ?? "–"}/${one.number ?? "–"}${frame}: ${said}`;
}

function list(state) {
  const { createElement: make } = openpacs.React;
  const all = state.all();
  if (!all.length) return make("p", { style: { marginTop: ".5rem" } }, words.none);
  const rows = all.map((one) =>
    make(
      "li",
      { key: `${one.image} ${one.frame} ${one.title} ${one.author}` },
      make(
        "button",
        { type: "button", style: ROW, onClick: () => run("openpacsShowKeyImage", { place: one }) },
        named(one),
      ),
    ),
  );
  return make(
    "div",
    null,
    make("ul", { style: { margin: ".5rem 0", maxHeight: "16rem", overflowY: "auto" } }, rows),
    make("button", { type: "button", style: ROW, onClick: () => run("openpacsNextKeyImage") }, words.next),
  );
}

function box(state, close) {
  const { createElement: make } = openpacs.React;
  const offered = titles.map(([code, said]) => make("option", { key: code, value: code }, said));
  const choose = (event) => state.choose(event.target.value);
  return make(
    "div",
    {
      role: "dialog",
      "aria-label": words.more,
      style: BOX,
      onKeyDown: (event) => event.key === "Escape" && close(),
    },
    mayMark &&
      make(
        "label",
        null,
        words.for,
        make("select", { style: FIELD, value: state.title(), onChange: choose }, offered),
      ),
    list(state),
  );
}

export const starButton = (state) =>
  function StarButton() {
    const { createElement: make, useEffect, useReducer, useState } = openpacs.React;
    const [, again] = useReducer((count) => count + 1, 0);
    const [isOpen, open] = useState(false);
    useEffect(() => state.subscribe(again), []);
    const place = state.place();
    const isMarked = state.of(place).length > 0;
    const look = { className: "text-white hover:bg-primary-dark rounded", style: { padding: ".4rem" } };
    return make(
      "div",
      { style: { position: "relative", display: "flex", alignItems: "center" } },
      make(
        "button",
        {
          ...look,
          type: "button",
          title: words.tooltip,
          "aria-label": words.mark,
          "aria-pressed": isMarked,
          "data-cy": "openpacs-key-image",
          disabled: !place || !mayMark,
          onClick: () => run("openpacsToggleKeyImage"),
        },
        star(isMarked),
      ),
      make(
        "button",
        {
          type: "button",
          className: look.className,
          style: { padding: ".4rem .15rem" },
          title: words.more,
          "aria-label": words.more,
          "aria-expanded": isOpen,
          onClick: () => open(!isOpen),
        },
        "▾",
      ),
      isOpen && box(state, () => open(false)),
    );
  };
