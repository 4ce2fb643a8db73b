// Elements are made, never parsed: what tasks and files say can't become markup.

// As in a terminal: what would steer the reader (control characters, changes of direction) is written out.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const JOINERS = "\u200c\u200d";

export function shown(text, { lines = false } = {}) {
  return String(text ?? "").replace(UNSAFE, (character) => {
    if (JOINERS.includes(character) || (lines && (character === "\n" || character === "\t"))) return character;
    return "\\u{" + character.codePointAt(0).toString(16) + "}";
  });
}

// el("p", {class: "faint", onclick: f}, "text", node, …); text is shown, not obeyed.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : shown(value));
  }
  for (const child of children.flat()) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(shown(child)));
  }
  return element;
}

// Writes only where something changed, so that a selection and a screen reader's place are kept.
export function put(element, text) {
  const wanted = shown(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

export function hide(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

// Puts children in order and leaves those alone that are in place: what has the focus keeps it.
export function arrange(parent, wanted) {
  wanted.forEach((child, place) => {
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  while (parent.children.length > wanted.length) parent.lastElementChild.remove();
}

const TONES = {
  failed: ["failed", "rejected", "abandoned", "tasks_failed", "outputs_missing", "error", "timed_out", "cancelled", "too_many_failed"],
  succeeded: ["succeeded"],
  preparing: ["preparing", "staging", "provisioning", "starting"],
  running: ["running", "submitting", "settling", "cleaning"],
};

export function tone(word) {
  return Object.keys(TONES).find((name) => TONES[name].includes(word)) ?? "waiting";
}

// A state in words, with a dot in its colour.
export function stateLabel() {
  const element = el("span", { class: "state" });
  return {
    element,
    update(word, said = word) {
      if (element.dataset.state !== tone(word)) element.dataset.state = tone(word);
      put(element, said.replaceAll("_", " "));
    },
  };
}

// Does it now, and at most once in so many milliseconds, the last time included.
export function atMostEach(milliseconds, work) {
  let last = -Infinity;
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => requestAnimationFrame(() => { waiting = false; last = performance.now(); work(); }), Math.max(0, last + milliseconds - performance.now()));
  };
}

export function clock(time) {
  if (!time) return "";
  const at = new Date(time);
  const today = at.toDateString() === new Date().toDateString();
  const hourCycle = "h23"; // as the charts have it
  return today ? at.toLocaleTimeString(undefined, { hourCycle }) : at.toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium", hourCycle });
}

export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

// As `span`, and to the tenth where that says something.
export function lasted(milliseconds) {
  return milliseconds < 60_000 ? `${(Math.max(0, milliseconds) / 1000).toFixed(1)} s` : span(milliseconds);
}

export function bytes(size) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const unit = size > 0 ? Math.min(units.length - 1, Math.floor(Math.log2(size) / 10)) : 0;
  return unit ? `${(size / 2 ** (10 * unit)).toFixed(1)} ${units[unit]}` : `${size} ${size === 1 ? "byte" : "bytes"}`;
}

// The ends of a node's name tell it from the others; all of it is in the title.
export function shortened(name) {
  return name.length > 20 ? `${name.slice(0, 6)}…${name.slice(-12)}` : name;
}

export const number = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");

export function announce(text) {
  put(document.getElementById("told"), text);
}

// Colours for what is drawn: those of the style sheet, for light and dark.
export function colours(...names) {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}
