// Elements, and values as people read them. Text goes into text nodes and nowhere else.

const SVG = "http://www.w3.org/2000/svg";

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value); // ARIA spells true
  }
  element.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** An HTML element; strings among the children become text. */
export const h = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);

/** An SVG element. */
export const s = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

/** What the keyboard reaches in a place. */
export const focusable = (place) => [...(place?.querySelectorAll("a, button, input, summary") ?? [])];

/**
 * Make these the children of a place. What is there already, and the same, stays; what takes the place of others takes
 * the focus over, or what stands beside them.
 */
export function fill(place, ...children) {
  const old = [...place.childNodes];
  const focused = document.activeElement;
  const nth = place.contains(focused) ? focusable(place).indexOf(focused) : -1;
  children.forEach((one, index) => {
    if (index >= old.length) place.append(one);
    else if (old[index] !== one && !old[index].isEqualNode(one)) old[index].replaceWith(one);
  });
  for (const one of old.slice(children.length)) one.remove();
  if (nth < 0 || document.activeElement === focused) return;
  const now = focusable(place);
  (now.find((one) => one.isEqualNode(focused)) ?? now[nth] ?? focusable(place.parentElement).at(-1))?.focus({
    preventScroll: true,
  });
}

/**
 * Make these elements the children of a place. What is there in its order stays where it is, with its focus, what is
 * selected in it, and a click that has begun on it.
 */
export function arrange(place, wanted) {
  const kept = new Set(wanted);
  for (const one of [...place.children]) if (!kept.has(one)) one.remove();
  let next = place.firstElementChild;
  for (const one of wanted)
    if (one === next) next = next.nextElementSibling;
    else place.insertBefore(one, next);
}

/** Hide something, or show it; if it has the focus, that goes to an heir. */
export function hide(place, isHidden, heir) {
  if (isHidden && place.contains(document.activeElement)) heir.focus({ preventScroll: true });
  place.hidden = isHidden;
}

/** What a page says that has nothing else to show: why, and where to go on. */
export const notice = (title, ...said) => h("section", { class: "empty" }, h("h1", null, title), said);

const MOST_DIGITS = 8;

/**
 * A number in so many significant digits, or as many as tell it from 1 if it is less; without a tail of zeros. What is
 * none is spelled.
 */
export function num(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) {
    const [mantissa, exponent] = value.toExponential(Math.min(digits, 3) - 1).split("e");
    return `${Number(mantissa)}e${Number(exponent)}`;
  }
  const rounded = Number(value.toPrecision(digits));
  return size < 1 && Math.abs(rounded) === 1 && digits < MOST_DIGITS ? num(value, digits + 1) : String(rounded);
}

const isPlain = (size) => size === 0 || (size >= 1e-3 && size < 1e6);

/**
 * What writes the scores of a column: with the usual digits, or as many as tell neighbours apart, and from 1, which
 * many scores come close to; what differs beyond the eighth counts as equal. All have the same decimals, so that they
 * align; the very large and small ones have exponents.
 */
export function scoresOf(values) {
  const { decimals, mantissa } = precisionOf(values.filter((one) => typeof one === "number"));
  const write = (value) => {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number") return String(value);
    return isPlain(Math.abs(value)) ? value.toFixed(decimals) : value.toExponential(mantissa);
  };
  return Object.assign(write, { form: `${decimals} ${mantissa}` });
}

/** How many decimals plain numbers have, and the mantissas of the others. */
function precisionOf(numbers) {
  const ones = numbers.filter((one) => Math.abs(one) < 1).map(Math.sign);
  const sorted = [...new Set([...numbers, ...ones])].sort((a, b) => a - b);
  let decimals = usualDecimals(sorted);
  let mantissa = 3;
  for (let index = 1; index < sorted.length; index++) {
    const [low, high] = [sorted[index - 1], sorted[index]];
    const size = Math.max(Math.abs(low), Math.abs(high));
    const places = Math.ceil(-Math.log10(high - low) - 1e-6);
    const digits = places + Math.floor(Math.log10(size)) + 1;
    if (digits > MOST_DIGITS) continue;
    if (isPlain(size)) decimals = Math.max(decimals, places);
    else mantissa = Math.max(mantissa, digits - 1);
  }
  return { decimals, mantissa };
}

function usualDecimals(numbers) {
  const sizes = numbers.map(Math.abs).filter((size) => size && isPlain(size));
  const least = sizes.reduce((a, b) => Math.min(a, b), Infinity);
  if (least < 10 || least === Infinity) return 4;
  return least < 1000 ? 2 : 1;
}

const isMany = (value) => value !== null && typeof value === "object";

/** What lies below a name, each with the path to it. */
const leaves = ([path, value]) =>
  isMany(value) && !Array.isArray(value) && Object.keys(value).length
    ? Object.entries(value).flatMap(([name, one]) => leaves([`${path}.${name}`, one]))
    : [[path, value]];

/** The names below a value, and what each of them has. */
const namedParts = (value) =>
  Object.entries(value)
    .flatMap(leaves)
    .map(([path, one]) => [h("span", { class: "note" }, path), " ", told(one, true)]);

/**
 * What a strategy said, whatever it is: a value; numbers in a row; names, or what is more than a number, one below the
 * other.
 */
export function told(value, isInRow = false) {
  if (!isMany(value)) return num(value);
  const isList = Array.isArray(value);
  const isNumbers = isList && value.every((one) => !isMany(one) && typeof one !== "string");
  const parts = isList ? value.map((one) => told(one, true)) : namedParts(value);
  if (!parts.length) return "none";
  if (!isInRow && !isNumbers) return parts.map((part) => h("div", null, part));
  const comma = isList && !isNumbers ? "; " : ", ";
  return parts.flatMap((part, index) => [index > 0 && comma, part]);
}

/** One and many: count(1, "trial") is "1 trial". */
export const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

/** How long, in its two largest units. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.5) return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  // Rounded before it is parted: there is no 1 min 60 s.
  const inSeconds = Math.round(seconds);
  const inMinutes = Math.round(seconds / 60);
  const inHours = Math.round(seconds / 3600);
  if (inSeconds < 3600) return `${Math.floor(inSeconds / 60)} min ${inSeconds % 60} s`;
  if (inMinutes < 24 * 60) return `${Math.floor(inMinutes / 60)} h ${inMinutes % 60} min`;
  return `${Math.floor(inHours / 24)} d ${inHours % 24} h`;
}

function ago(time) {
  const seconds = Math.max(0, (Date.now() - new Date(time)) / 1000);
  if (seconds < 10) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

/** A time where the reader is, with the name of the zone. */
export const exact = (time) => new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });

/** A time, relative; the exact one on hover. It stays true by itself. */
export function when(time) {
  return time ? h("time", { datetime: time, title: `${exact(time)} (${time})` }, ago(time)) : "–";
}

setInterval(() => {
  for (const one of document.querySelectorAll("time[datetime]")) {
    const text = ago(one.getAttribute("datetime"));
    if (one.textContent !== text) one.textContent = text;
  }
}, 5000);

const CALM_MS = 10_000;

/**
 * What says a text that changes often to those who cannot see it: the first change at once, and then, every ten
 * seconds, what it has come to. A live region that changes with every event would drown whatever else is said. Empty in
 * between, so that nothing stands on the page twice.
 */
export function speaker() {
  const element = h("p", { class: "hidden", role: "status" });
  let timer = null;
  let said = null;
  let next = null;
  function speak() {
    timer = next === said ? null : setTimeout(speak, CALM_MS);
    element.textContent = next === said ? "" : next;
    said = next;
  }
  /** What it is now; the first time nothing is said. */
  function say(text) {
    next = text;
    said ??= text;
    if (next !== said) timer ??= setTimeout(speak);
  }
  return { element, say };
}

/** A state as a word with a mark of its own, so that colour is never all that tells. */
export const badge = (state, reason = "") => h("span", { class: `badge is-${state}` }, state, reason && `: ${reason}`);

/** A button that copies a text; none where the browser lets no page copy, as over plain HTTP from another host. */
export function copier(text, word = "Copy") {
  if (!navigator.clipboard) return null;
  const onclick = ({ target }) =>
    navigator.clipboard.writeText(text).then(
      () => {
        target.textContent = "Copied";
      },
      () => null,
    );
  return h("button", { type: "button", class: "quiet", title: text, onclick }, word);
}

/** A command to copy. */
export const command = (text) =>
  h("div", { class: "command" }, h("pre", { tabindex: 0 }, h("code", null, text)), copier(text));

/** An id, whole, to be selected with one click or copied. */
export const identity = (id) =>
  h("div", null, h("dt", null, "Id"), h("dd", { class: "id" }, h("code", null, id), copier(id)));

/** What a run of a trial is called where there are runs of others, too. */
export const trialName = (number, tunerName) => (tunerName ? `${tunerName}, trial ${number}` : `Trial ${number}`);

const NAME_END = 9; // of an id, with the space before it

/**
 * A name that is cut in its middle where there is no room: names that begin alike differ at their ends. It is read as
 * one.
 */
export function nameLink(text, href) {
  const letters = [...text];
  return h(
    "a",
    { class: "name", title: text, "aria-label": text, dir: "auto", href },
    h("span", null, letters.slice(0, -NAME_END).join("")),
    h("span", null, letters.slice(-NAME_END).join("")),
  );
}
