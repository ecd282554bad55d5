// The viewer knows each of its keys by a hash of the command, which it makes twice for every
// key at every start: a thirtieth of the time to the first image. They are kept in the browser.
const KEPT = "openpacsHotkeys";

const mainBundle = () => document.querySelector('script[src*="/app.bundle."]')?.src;

function kept() {
  try {
    const { bundle, hashes } = JSON.parse(localStorage.getItem(KEPT));
    if (bundle === mainBundle()) return new Map(hashes);
  } catch {
    // Nothing yet, or something else.
  }
  return new Map();
}

function isPlain(value) {
  if (value === null || Array.isArray(value)) return true;
  if (typeof value === "object") return Object.getPrototypeOf(value) === Object.prototype;
  return ["string", "boolean"].includes(typeof value) || Number.isFinite(value);
}

// What is hashed, as text; undefined where text would not say all of it.
function textOf({ commandName, commandOptions }) {
  let plain = true;
  const text = JSON.stringify([commandName, commandOptions || {}], (_, value) => {
    plain &&= isPlain(value);
    return value;
  });
  return plain ? text : undefined;
}

export function prepare({ hotkeysManager }) {
  const hashes = kept();
  const generate = hotkeysManager.generateHash.bind(hotkeysManager);
  let saving = 0;
  const save = () =>
    localStorage.setItem(KEPT, JSON.stringify({ bundle: mainBundle(), hashes: [...hashes] }));
  hotkeysManager.generateHash = (definition) => {
    const text = textOf(definition);
    if (text === undefined) return generate(definition);
    if (!hashes.has(text)) {
      hashes.set(text, generate(definition));
      saving ||= setTimeout(save);
    }
    return hashes.get(text);
  };
}
