// Curves over epochs, dense ones too: axes in SVG, lines on a canvas, the same lines as SVG paths for a download.

import { h, num, s } from "./dom.js";
import { nothing } from "./figure.js";
import { axes, colourOf, linear, log, widen } from "./scale.js";

const MANY_POINTS = 100;
const MANY_MARKS = 200;
const SPANS = 50;
const PALE = 0.25;
const MOST_SAMPLED = 4000;
const DENSE = 8;
const WIDE = 20;
const WHOLE_MS = 1000;
const LONE_PX = 1.5;

/**
 * @typedef {object} Curve
 * @property {number[]} xs
 * @property {number[]} ys
 * @property {string} name
 * @property {string|null} colour a custom property; null for a grey one
 * @property {number[]|null} [dash] lengths
 * @property {boolean} [isOpen] it grows still
 * @property {boolean} [isStopped] it was stopped early
 * @property {boolean} [isWhole] of one that was thinned there are the extremes, whose mean is another
 * @property {number} [edits] how often it changed elsewhere than at its end
 * @property {string} [href]
 */

/** The mean of values up to each point, of which those long ago count little: of a fiftieth of the curve, or so. */
function smoothed(curve) {
  const keep = 1 - 2 / (Math.max(4, curve.ys.length / SPANS) + 1);
  let sum = 0;
  let weight = 0;
  return {
    ...curve,
    ys: curve.ys.map((value) => {
      if (typeof value !== "number") return value;
      [sum, weight] = [sum * keep + value, weight * keep + 1];
      return sum / weight;
    }),
  };
}

/** A plot of curves, as figure.js has it. */
export function lines(curves, width, height, zoom, before, looks, { xLabel = "epoch", yLabel } = {}) {
  const isLog = Boolean(looks?.has("log"));
  const isWhole = curves.every((one) => one.isWhole);
  const isSmooth = Boolean(looks?.has("smooth")) && isWhole;
  const drawn = isSmooth ? curves.map(smoothed) : curves;
  const seen = sight(drawn, isLog);
  if (!seen) return nothing(width, height, whyNothing(curves, isLog));
  const isOpen = curves.some((one) => one.isOpen);
  const full = epochsOf(curves, isOpen);
  const x = linear(zoom ?? full, [56, width - 14], true);
  const wasLike = before?.y && before.isLog === isLog ? before.y.domain : null;
  const sides = [height - 40, yLabel ? 26 : 12];
  const y = scaleOfValues(seen.range, wasLike, { isLog, isOpen, sides });
  const hasManyPoints = curves.some((one) => one.ys.length > MANY_POINTS);
  const layers = [[1, colouredLast(drawn)]];
  if (isSmooth) layers.unshift([PALE, colouredLast(curves)]);
  const ends = endsOf(drawn, x, y);
  const textOf = (one, epoch, value, isEnd) => [
    one.name,
    `${num(value)} at ${xLabel} ${num(epoch)}${isEnd && one.isStopped ? ", stopped early" : ""}`,
  ];
  return {
    x,
    y,
    full,
    isLog,
    offers: [seen.isWide && "log", isWhole && hasManyPoints && "smooth"].filter(Boolean),
    key: JSON.stringify([isLog, yLabel, x.domain, y.domain, curves.map((one) => [one.colour, one.edits ?? 0])]),
    nodes: [axes(x, y, { xLabel, yLabel })],
    over: ends.map(endMark),
    marks: () =>
      isDense(curves) || curves.every((one) => one.xs.length > MANY_MARKS)
        ? marksOfEnds(ends, textOf)
        : marksOfPoints(curves, x, y, textOf),
    ...strokesOf(curves, layers, x, y, isSmooth),
  };
}

function whyNothing(curves, isLog) {
  if (!curves.some((one) => one.ys.length)) return "No epochs yet";
  return isLog ? "No value is above zero" : "No value is a finite number";
}

const colouredLast = (curves) => [...curves].sort((a, b) => Boolean(a.colour) - Boolean(b.colour));

const isAcross = (px, x) => px >= x.range[0] - 1 && px <= x.range[1] + 4;

/** Where curves end, as far as that is in sight: {curve, x, y}. */
const endsOf = (curves, x, y) =>
  curves
    .filter(({ ys }) => y.has(ys.at(-1)))
    .map((curve) => ({ curve, x: x(curve.xs.at(-1)), y: y(curve.ys.at(-1)) }))
    .filter((end) => isAcross(end.x, x) && end.y >= y.range[1] - 6 && end.y <= y.range[0] + 4);

function endMark({ curve: { isStopped, colour }, x, y }) {
  if (isStopped)
    return s("path", {
      class: "stop-mark",
      d: `M${x - 3} ${y - 3}l6 6m0 -6l-6 6`,
      style: { stroke: `var(${colour ?? "--faint-ink"})` },
    });
  return colour && s("circle", { class: "end-mark", cx: x, cy: y, r: 3, style: { fill: `var(${colour})` } });
}

const keyOf = (curve) => curve.href ?? curve.name;

const marksOfEnds = (ends, textOf) =>
  ends.map(({ curve, x, y }) => ({
    key: keyOf(curve),
    x,
    y,
    href: curve.href,
    text: () => textOf(curve, curve.xs.at(-1), curve.ys.at(-1), true),
  }));

const marksOfPoints = (curves, x, y, textOf) =>
  curves
    .flatMap((curve) =>
      curve.xs.map((epoch, index) => ({
        key: `${keyOf(curve)} ${epoch}`,
        x: x(epoch),
        y: y(curve.ys[index]),
        href: curve.href,
        text: () => textOf(curve, epoch, curve.ys[index], index === curve.xs.length - 1),
      })),
    )
    .filter((mark) => isAcross(mark.x, x) && Number.isFinite(mark.y));

// ------------------------------------------------------------------------------------------------ how much is in sight

/** Too many to mark each of their points. */
const isDense = (curves) => curves.length > DENSE;

/**
 * The range of most values: a run that explodes does not flatten all others, nor do the first epochs of many the rest.
 * Answers {range, isWide (a log scale would show more)}, or null where there is nothing to show.
 */
function sight(curves, isLog) {
  const sorted = sampleOf(curves, isLog).sort();
  if (!sorted.length) return null;
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const [low, high, q1, q3] = [at(0), at(1), at(0.1), at(0.9)];
  const isWide = low > 0 && high > low * WIDE;
  const reach = isLog ? 0 : (isDense(curves) ? 1.5 : 8) * (q3 - q1);
  return { isWide, range: reach > 0 ? [Math.max(low, q1 - reach), Math.min(high, q3 + reach)] : [low, high] };
}

/** Some thousands of the values, the last one of each curve among them. */
function sampleOf(curves, isLog) {
  const total = curves.reduce((sum, one) => sum + one.ys.length, 0);
  const every = Math.max(1, Math.floor(total / MOST_SAMPLED));
  const sample = new Float64Array(Math.ceil(total / every) + curves.length);
  let n = 0;
  for (const { ys } of curves)
    for (let index = ys.length - 1; index >= 0; index -= every)
      if (typeof ys[index] === "number" && (!isLog || ys[index] > 0)) sample[n++] = ys[index];
  return sample.subarray(0, n);
}

/** The scale of the values in sight; `before`: the domain that was shown, `isOpen`: curves grow still. */
function scaleOfValues(range, before, { isLog, isOpen, sides }) {
  if (!isLog) return linear(airy(range, before, isOpen), sides);
  const decades = airy(range.map(Math.log10), before?.map(Math.log10), isOpen);
  return log(
    decades.map((one) => 10 ** one),
    sides,
  );
}

/** The range with some air. While curves grow the one before stays as long as it fits: pictures can be added to. */
function airy([low, high], before, isOpen) {
  const isFitting = before && low >= before[0] && high <= before[1] && high - low > 0.7 * (before[1] - before[0]);
  if (isOpen && isFitting) return before;
  const air = isOpen ? 0.08 : 0.05;
  return widen([low, high], high * air - low * air);
}

/** The first epoch and the last one; a little more while curves grow. */
function epochsOf(curves, isOpen) {
  const last = Math.max(...curves.map(({ xs }) => xs.at(-1) ?? 0));
  const first = Math.min(...curves.map(({ xs }) => xs[0] ?? Infinity));
  return [Math.min(first, last), isOpen ? roomy(last) : last];
}

/** A little beyond, so that the axis moves seldom. */
function roomy(last) {
  if (last < 4) return 4;
  if (last < 10) return 10;
  const power = 10 ** Math.floor(Math.log10(last)) / 4;
  return Math.ceil((last + 1) / power) * power;
}

// ------------------------------------------------------------------------------------------------------------- strokes

/**
 * How figure.js paints curves: {paint, grow, vector, painted}, of which the last one is for the next picture.
 *
 * @param layers [alpha, curves] of each, the lowest first
 * @param isSmooth what is drawn is not the values, and changes as a whole
 */
function strokesOf(curves, layers, x, y, isSmooth) {
  let painted = null;

  function hold(wholeAt) {
    painted = { wholeAt, lengths: new Map(curves.map((one) => [one, one.xs.length])) };
  }

  function paint(context) {
    stroke(context, layers, x, y, () => 0);
    hold(performance.now());
  }

  /**
   * The new ends alone. Now and then all, for grey ones that came to lie above coloured ones; always where dashes go
   * on.
   */
  function grow(context, before) {
    const was = before.painted?.();
    if (isSmooth || !was || performance.now() - was.wholeAt > WHOLE_MS) return false;
    if (was.lengths.size !== curves.length) return false;
    if (curves.some((one) => one.dash || !(was.lengths.get(one) <= one.xs.length))) return false;
    stroke(context, layers, x, y, (one) => Math.max(0, was.lengths.get(one) - 1));
    hold(was.wholeAt);
    return true;
  }

  const vector = () => layers.flatMap(([alpha, some]) => some.map((one) => pathOf(one, alpha, x, y))).reverse();

  return { paint, grow, vector, painted: () => painted };
}

const inkOf = ({ colour }) => `var(${colour ?? "--rest"})`;

const widthOf = ({ colour }) => (colour ? 2 : 1);

/** Each curve from a point on: `from(curve)`. */
function stroke(context, layers, x, y, from) {
  const [left, right] = x.range;
  const [bottom, top] = y.range;
  context.save();
  context.beginPath();
  context.rect(left - 1, top - 6, right - left + 5, bottom - top + 7);
  context.clip();
  context.lineJoin = "bevel";
  for (const [alpha, curves] of layers)
    for (const one of curves) {
      context.globalAlpha = alpha;
      context.beginPath();
      context.strokeStyle = colourOf(inkOf(one));
      context.lineWidth = widthOf(one);
      context.setLineDash(one.dash ?? []);
      trace(context, one, x, y, from(one));
      context.stroke();
    }
  context.restore();
}

function pathOf(curve, alpha, x, y) {
  let d = "";
  const add = (letter) => (px, py) => {
    d += `${letter}${px.toFixed(1)} ${py.toFixed(1)}`;
  };
  trace({ moveTo: add("M"), lineTo: add("L") }, curve, x, y);
  const style = {
    fill: "none",
    stroke: inkOf(curve),
    "stroke-width": String(widthOf(curve)),
    "stroke-opacity": alpha,
    "stroke-dasharray": curve.dash?.join(" ") ?? "none",
  };
  return s("path", { class: "curve", d, style });
}

/**
 * Take a pen along a curve from a point on. Of many points in one column of pixels it draws the first, the extremes and
 * the last.
 */
function trace(pen, { xs, ys }, x, y, from = 0) {
  const [low, high] = x.domain;
  let isDown = false;
  let column = NaN;
  let held = 0; // points in this column
  let last = 0;
  let least = 0;
  let most = 0;

  function leaveColumn() {
    if (held > 2) {
      pen.lineTo(column, least);
      pen.lineTo(column, most);
    }
    if (held > 1) pen.lineTo(column, y(ys[last]));
    held = 0;
  }

  for (let index = from; index < xs.length; index++) {
    if (!y.has(ys[index])) {
      leaveColumn();
      isDown = false;
      column = NaN;
      continue;
    }
    if (xs[index + 1] < low || xs[index - 1] > high) continue;
    const px = x(xs[index]);
    const py = y(ys[index]);
    if (isDown && Math.abs(px - column) < 0.5) {
      if (held === 1) least = most = py;
      least = Math.min(least, py);
      most = Math.max(most, py);
      held++;
      last = index;
      continue;
    }
    leaveColumn();
    if (isDown) pen.lineTo(px, py);
    else if (y.has(ys[index - 1]) || y.has(ys[index + 1])) pen.moveTo(px, py);
    else dot(pen, px, py);
    [isDown, column, held, last] = [true, px, 1, index];
  }
  leaveColumn();
}

/** A point without neighbours, which nobody would see. */
function dot(pen, px, py) {
  pen.moveTo(px - LONE_PX, py);
  pen.lineTo(px + LONE_PX, py);
}

// ------------------------------------------------------------------------------------------- their values, their names

/** The curves as a table: a row per point. */
export const lineRows = (curves, yLabel) => ({
  columns: ["run", "epoch", yLabel],
  rows: curves.flatMap(({ name, xs, ys }) => xs.map((epoch, index) => [name, epoch, ys[index]])),
});

/** Put a value where it belongs; nearly always that is the end. */
export function put(curve, epoch, value) {
  let index = curve.xs.length;
  while (index > 0 && curve.xs[index - 1] > epoch) index--;
  const isThere = index > 0 && curve.xs[index - 1] === epoch;
  if (!isThere && index === curve.xs.length) {
    curve.xs.push(epoch);
    curve.ys.push(value);
    return;
  }
  if (isThere && curve.ys[index - 1] === value) return;
  if (isThere) curve.ys[index - 1] = value;
  else {
    curve.xs.splice(index, 0, epoch);
    curve.ys.splice(index, 0, value);
  }
  curve.edits = (curve.edits ?? 0) + 1;
}

/** A piece of a line as the charts have it. */
export function swatch({ colour, dash }) {
  const ends = dash?.map((_, index) => dash.slice(0, index + 1).reduce((sum, one) => sum + one));
  const stops = ends?.map((end, index) => `${index % 2 ? "#0000" : "#000"} ${end - dash[index]}px ${end}px`);
  return h("span", {
    class: dash ? "swatch dashed" : "swatch",
    style: {
      background: `var(${colour ?? "--rest"})`,
      ...(stops && { mask: `repeating-linear-gradient(90deg, ${stops})` }),
    },
  });
}

/** Names beside their lines; `out()`: the address without one. */
export const legend = (curves) =>
  h(
    "ul",
    { class: "legend" },
    curves.map((one) => h("li", null, swatch(one), nameOf(one), one.out && outLink(one))),
  );

const nameOf = ({ name, href }) => (href ? h("a", { href }, name) : name);

function outLink({ name, out }) {
  const title = "Remove from the comparison";
  // By then others may have been removed, or charts zoomed.
  const onclick = ({ target }) => target.setAttribute("href", out());
  return h("a", { class: "out", href: out(), "aria-label": `Remove ${name}`, title, onclick }, "×");
}

export const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"];
const DASHES = [null, [7, 3], [2, 2], [10, 3, 2, 3]];

/**
 * How one of many lines is told apart: in the colours, then in the colours with dashes; grey where both have come to an
 * end.
 */
export const styleOf = (index) =>
  index < COLOURS.length * DASHES.length
    ? { colour: COLOURS[index % COLOURS.length], dash: DASHES[Math.floor(index / COLOURS.length)] }
    : { colour: null, dash: null };
