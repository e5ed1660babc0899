// Scales from values to pixels, their ticks, and the axes that show them.

import { h, s } from "./dom.js";

// As many digits as a number has to spare: what differs beyond them is a matter of rounding, and drawn as equal.
const DIGITS = 12;
const FINEST = 1e-10;
const LABEL = 9;

/** How wide a letter of a chart is, in pixels. */
export const LETTER = 7.2;

const isFlat = (low, high) => !(high - low > Math.max(Math.abs(low), Math.abs(high)) * FINEST);

/** Some room below and above, as far as there are numbers. */
export const widen = ([low, high], below, above = below) => [
  Math.max(low - below, -Number.MAX_VALUE),
  Math.min(high + above, Number.MAX_VALUE),
];

/** Linear, from a domain (lowest, highest) to a range of pixels; `isWhole`: there is nothing between two integers. */
export function linear([low, high], [from, to], isWhole = false) {
  const airAt = (end) => Math.abs(end) * 0.05 || 0.5;
  if (isFlat(low, high)) [low, high] = widen([low, high], airAt(low), airAt(high));
  const part = high - low < Infinity ? 1 : 0.25; // of numbers so far apart that their distance is none
  const distance = high * part - low * part;
  const scale = (value) => from + ((value * part - low * part) / distance) * (to - from);
  scale.invert = (pixel) => low + (((pixel - from) / (to - from)) * distance) / part;
  scale.ticks = (n) => linearTicks(low, high, n, isWhole ? 1 : 0);
  scale.has = (value) => typeof value === "number";
  return Object.assign(scale, { domain: [low, high], range: [from, to] });
}

/** Logarithmic; the domain is positive. */
export function log([low, high], range) {
  const inner = linear([Math.log10(low), Math.log10(high)], range);
  const scale = (value) => inner(Math.log10(value));
  scale.invert = (pixel) => 10 ** inner.invert(pixel);
  scale.has = (value) => value > 0; // of what is no number, too
  scale.ticks = (n) => {
    const decades = [];
    for (let exponent = Math.ceil(Math.log10(low) - 1e-9); exponent <= Math.log10(high) + 1e-9; exponent++)
      decades.push(Number(`1e${exponent}`));
    if (decades.length < 3) return shortTicks(low, high);
    const every = Math.ceil(decades.length / n);
    return decades.filter((_, index) => index % every === 0);
  };
  return Object.assign(scale, { domain: [low, high], range });
}

/** One place for each of some things. */
export function points(options, [from, to]) {
  const keys = options.map(String);
  const step = (to - from) / Math.max(keys.length, 1);
  const scale = (value) => from + step * (keys.indexOf(String(value)) + 0.5);
  scale.ticks = () => options;
  return Object.assign(scale, { domain: options, range: [from, to], isDiscrete: true });
}

/** 1, 2, 5 in each decade. */
function shortTicks(low, high) {
  const ticks = [];
  for (let exponent = Math.floor(Math.log10(low)); exponent <= Math.log10(high); exponent++)
    for (const one of [1, 2, 5]) ticks.push(Number((one * 10 ** exponent).toPrecision(3)));
  const inside = ticks.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  return inside.length > 1 ? inside : linearTicks(low, high, 4);
}

function linearTicks(low, high, n, least = 0) {
  if (isFlat(low, high)) return [];
  const rough = Math.max(high / n - low / n, least);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough * (1 - 1e-9)) * power;
  if (!(step > 0)) return []; // finer than numbers are
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9); index <= last; index++)
    ticks.push(Number((index * step).toPrecision(DIGITS)));
  return ticks.length > 1 || step === least ? ticks : linearTicks(low, high, 2 * n, least);
}

/** The lowest and highest of finite numbers, with some air; null where there are none. */
export function extent(values, air = 0.06) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (typeof value !== "number") continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return null;
  return widen([low, high], high * air - low * air);
}

/** The scale of a parameter: log where its range is, a place for each option where it has some. */
export function ofSpec(spec, range, values) {
  if (spec.type === "choice") return points(spec.options, range);
  if (spec.type === "flag") return points([false, true], range);
  const seen = extent(values, 0) ?? [spec.min, spec.max];
  const domain = [Math.min(spec.min, seen[0]), Math.max(spec.max, seen[1])];
  return spec.log && domain[0] > 0 ? log(domain, range) : linear(domain, range, spec.type === "int_range");
}

/** A grid with numbers on the left, and numbers below. */
export function axes(x, y, { xLabel, yLabel } = {}) {
  const [left, right] = x.range;
  const [bottom, top] = y.range;
  const row = (value) =>
    s(
      "g",
      { class: "tick" },
      s("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      s("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, label(value)),
    );
  const room = x.isDiscrete ? Math.floor((right - left) / x.domain.length / LETTER) : LABEL;
  const column = (value) => {
    const text = s("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, label(value, room));
    return s("g", { class: "tick" }, text);
  };
  return s(
    "g",
    { class: "axes", "aria-hidden": true },
    y.ticks(Math.max(2, (bottom - top) / 36)).map(row),
    x.ticks(Math.max(2, (right - left) / 85)).map(column),
    s("line", { class: "base", x1: left, x2: right, y1: bottom, y2: bottom }),
    xLabel && axisName({ x: right, y: bottom + 34, "text-anchor": "end" }, xLabel, right),
    yLabel && axisName({ x: 0, y: top - 10 }, yLabel, right),
  );
}

const axisName = (place, name, room) =>
  s("text", { class: "name", ...place }, s("title", null, name), cutName(name, Math.floor(room / LETTER)));

/** A tick's text: all of its digits, so that no two are alike; of very many the last, in which neighbours differ. */
export function label(value, most = LABEL) {
  if (typeof value !== "number") return cut(String(value), most);
  const size = Math.abs(value);
  const isPlain = size === 0 || (size >= 1e-4 && size < 1e7);
  const text = isPlain
    ? value.toLocaleString("en", { maximumSignificantDigits: DIGITS })
    : Number(value.toPrecision(DIGITS)).toExponential().replace("e+", "e");
  return text.length > most ? `…${text.slice(1 - most)}` : text;
}

/** A text in so many characters. */
export const cut = (text, most) => {
  const letters = [...text];
  return letters.length > most ? `${letters.slice(0, Math.max(1, most - 1)).join("")}…` : text;
};

/** A name in so many characters: names that begin alike differ at their ends. */
export function cutName(text, most) {
  const letters = [...text];
  if (letters.length <= most) return text;
  const nLast = Math.floor((most - 1) / 2);
  const head = letters.slice(0, Math.max(1, most - 1 - nLast));
  const tail = nLast > 0 ? letters.slice(-nLast) : [];
  return `${head.join("")}…${tail.join("")}`;
}

// A canvas knows no custom properties: what they come to is asked once, and again in other colours.
const ink = h("span", { class: "ink" });
const known = new Map();
addEventListener("redraw", () => known.clear());

/** A colour of the style sheet as a canvas wants it. */
export function colourOf(expression) {
  if (!known.has(expression)) {
    if (!ink.isConnected) document.body.append(ink);
    ink.style.color = expression;
    known.set(expression, getComputedStyle(ink).color);
  }
  return known.get(expression);
}
