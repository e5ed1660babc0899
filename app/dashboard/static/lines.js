// Curves over epochs, dense ones too: axes in SVG, lines on a canvas, the same lines as SVG paths for a download.
//
// A curve: {xs, ys, name, colour (a custom property) or null for a grey one, dash? (lengths), isStopped, href,
// isWhole? (of one that was thinned there are the extremes, whose mean is another)}.

import { h, num, s } from "./dom.js";
import { nothing } from "./figure.js";
import { axes, colourOf, linear, log, widen } from "./scale.js";

const MOST_SAMPLED = 4000;
const DENSE = 8;
const WHOLE_MS = 1000;
const LONE_PX = 1.5;
const WIDE = 20;
const MANY_POINTS = 100;
const SPANS = 50;
const PALE = 0.25;

/** The range of most values: a run that explodes does not flatten all others, nor do the first epochs of many the rest. */
function sight(curves, isLog) {
  const total = curves.reduce((sum, one) => sum + one.ys.length, 0);
  const every = Math.max(1, Math.floor(total / MOST_SAMPLED));
  const sample = new Float64Array(Math.ceil(total / every) + curves.length);
  let n = 0;
  for (const { ys } of curves)
    for (let index = ys.length - 1; index >= 0; index -= every)
      if (typeof ys[index] === "number" && (!isLog || ys[index] > 0)) sample[n++] = ys[index];
  if (!n) return null;
  const sorted = sample.subarray(0, n).sort();
  const at = (share) => sorted[Math.round(share * (n - 1))];
  const [low, high, q1, q3] = [at(0), at(1), at(0.1), at(0.9)];
  const reach = isLog ? 0 : (curves.length > DENSE ? 1.5 : 8) * (q3 - q1);
  const isWide = low > 0 && high > low * WIDE;
  return { isWide, range: reach > 0 ? [Math.max(low, q1 - reach), Math.min(high, q3 + reach)] : [low, high] };
}

/** The mean of the values before each point, of which those long ago count little: of a fiftieth of the curve, or so. */
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

/** The range with some air; while curves grow the one before stays as long as it fits, so that pictures can be added to. */
function airy([low, high], before, isOpen) {
  if (isOpen && before && low >= before[0] && high <= before[1] && high - low > 0.7 * (before[1] - before[0]))
    return before;
  const air = isOpen ? 0.08 : 0.05;
  return widen([low, high], high * air - low * air);
}

/** A little beyond, so that the axis moves seldom while a curve grows. */
function roomy(last) {
  if (last < 4) return 4;
  if (last < 10) return 10;
  const power = 10 ** Math.floor(Math.log10(last)) / 4;
  return Math.ceil((last + 1) / power) * power;
}

/** Take a pen along a curve from a point on. Of many points in one column of pixels the first, the extremes and the last. */
function trace(pen, { xs, ys }, x, y, from = 0) {
  const [low, high] = x.domain;
  let isDown = false;
  let column = NaN;
  let least = 0;
  let most = 0;
  let held = 0;
  const lift = () => {
    if (held > 2) (pen.lineTo(column, least), pen.lineTo(column, most));
    if (held > 1) pen.lineTo(column, y(ys[last]));
    held = 0;
  };
  let last = 0;
  for (let index = from; index < xs.length; index++) {
    if (!y.has(ys[index])) {
      lift();
      isDown = false;
      column = NaN;
      continue;
    }
    if (xs[index + 1] < low || xs[index - 1] > high) continue;
    const px = x(xs[index]);
    const py = y(ys[index]);
    if (isDown && Math.abs(px - column) < 0.5) {
      if (held === 1) least = most = py;
      ((least = Math.min(least, py)), (most = Math.max(most, py)));
      held++;
      last = index;
      continue;
    }
    lift();
    if (isDown) pen.lineTo(px, py);
    else if (y.has(ys[index - 1]) || y.has(ys[index + 1])) pen.moveTo(px, py);
    else (pen.moveTo(px - LONE_PX, py), pen.lineTo(px + LONE_PX, py)); // or nobody sees it
    [isDown, column, held, last] = [true, px, 1, index];
  }
  lift();
}

export function lines(curves, width, height, zoom, before, looks, { xLabel = "epoch", yLabel } = {}) {
  const isLog = Boolean(looks?.has("log"));
  const isWhole = curves.every((one) => one.isWhole);
  const isSmooth = Boolean(looks?.has("smooth")) && isWhole;
  const drawn = isSmooth ? curves.map(smoothed) : curves;
  const seen = sight(drawn, isLog);
  if (!seen)
    return nothing(
      width,
      height,
      !curves.some((one) => one.ys.length)
        ? "No epochs yet"
        : isLog
          ? "No value is above zero"
          : "No value is a finite number",
    );
  const isOpen = curves.some((one) => one.isOpen);
  const top = yLabel ? 26 : 12;
  const last = Math.max(...curves.map(({ xs }) => xs.at(-1) ?? 0));
  const first = Math.min(...curves.map(({ xs }) => xs[0] ?? Infinity));
  const full = [Math.min(first, last), isOpen ? roomy(last) : last];
  const wasLike = before?.y && before.isLog === isLog ? before.y.domain : null;
  const sides = [height - 40, top];
  const y = isLog
    ? log(
        airy(seen.range.map(Math.log10), wasLike?.map(Math.log10), isOpen).map((one) => 10 ** one),
        sides,
      )
    : linear(airy(seen.range, wasLike, isOpen), sides);
  const x = linear(zoom ?? full, [56, width - 14], true);
  const byColour = (some) => [...some].sort((a, b) => Boolean(a.colour) - Boolean(b.colour));
  const layers = isSmooth
    ? [
        [PALE, byColour(curves)],
        [1, byColour(drawn)],
      ]
    : [[1, byColour(curves)]];
  const inkOf = (one) => colourOf(`var(${one.colour ?? "--rest"})`);
  const ends = drawn
    .filter(({ ys }) => y.has(ys.at(-1)))
    .map((one) => ({ one, x: x(one.xs.at(-1)), y: y(one.ys.at(-1)) }))
    .filter((end) => end.x >= 55 && end.x <= width - 10 && end.y >= top - 6 && end.y <= height - 36);
  const textOf = (one, epoch, value, isEnd) => [
    one.name,
    `${num(value)} at ${xLabel} ${num(epoch)}${isEnd && one.isStopped ? ", stopped early" : ""}`,
  ];

  const keyOf = (one) => one.href ?? one.name;

  function stroke(context, from) {
    context.save();
    context.beginPath();
    context.rect(55, top - 6, width - 65, height - top - 33);
    context.clip();
    context.lineJoin = "bevel";
    for (const [alpha, some] of layers)
      for (const one of some) {
        context.globalAlpha = alpha;
        context.beginPath();
        context.strokeStyle = inkOf(one);
        context.lineWidth = one.colour ? 2 : 1;
        context.setLineDash(one.dash ?? []);
        trace(context, one, x, y, from(one));
        context.stroke();
      }
    context.restore();
  }

  const plot = {
    x,
    y,
    full,
    isLog,
    offers: [seen.isWide && "log", isWhole && curves.some((one) => one.ys.length > MANY_POINTS) && "smooth"].filter(
      Boolean,
    ),
    key: JSON.stringify([isLog, yLabel, x.domain, y.domain, curves.map((one) => [one.colour, one.edits ?? 0])]),
    nodes: [axes(x, y, { xLabel, yLabel })],
    over: ends.map(({ one, x: px, y: py }) =>
      one.isStopped
        ? s("path", {
            class: "stop-mark",
            d: `M${px - 3} ${py - 3}l6 6m0 -6l-6 6`,
            style: { stroke: `var(${one.colour ?? "--faint-ink"})` },
          })
        : one.colour && s("circle", { class: "end-mark", cx: px, cy: py, r: 3, style: { fill: `var(${one.colour})` } }),
    ),
    marks: () =>
      curves.length > DENSE || curves.every((one) => one.xs.length > 200)
        ? ends.map(({ one, x: px, y: py }) => ({
            key: keyOf(one),
            x: px,
            y: py,
            href: one.href,
            text: () => textOf(one, one.xs.at(-1), one.ys.at(-1), true),
          }))
        : curves
            .flatMap((one) =>
              one.xs.map((epoch, index) => ({
                key: `${keyOf(one)} ${epoch}`,
                x: x(epoch),
                y: y(one.ys[index]),
                href: one.href,
                text: () => textOf(one, epoch, one.ys[index], index === one.xs.length - 1),
              })),
            )
            .filter((mark) => mark.x >= 55 && mark.x <= width - 10 && Number.isFinite(mark.y)),
    paint(context) {
      stroke(context, () => 0);
      plot.wholeAt = performance.now();
      plot.painted = new Map(curves.map((one) => [one, one.xs.length]));
    },
    /** The new ends alone. Now and then all, for grey ones that came to lie above coloured ones; always where dashes go on. */
    grow(context, { painted, wholeAt }) {
      if (
        isSmooth ||
        !painted ||
        performance.now() - wholeAt > WHOLE_MS ||
        painted.size !== curves.length ||
        curves.some((one) => one.dash || !(painted.get(one) <= one.xs.length))
      )
        return false;
      stroke(context, (one) => Math.max(0, painted.get(one) - 1));
      plot.wholeAt = wholeAt;
      plot.painted = new Map(curves.map((one) => [one, one.xs.length]));
      return true;
    },
    vector: () =>
      layers
        .flatMap(([alpha, some]) => some.map((one) => ({ one, alpha })))
        .reverse()
        .map(({ one, alpha }) => {
          let d = "";
          trace(
            {
              moveTo: (a, b) => {
                d += `M${a.toFixed(1)} ${b.toFixed(1)}`;
              },
              lineTo: (a, b) => {
                d += `L${a.toFixed(1)} ${b.toFixed(1)}`;
              },
            },
            one,
            x,
            y,
          );
          return s("path", {
            class: "curve",
            d,
            style: {
              fill: "none",
              stroke: `var(${one.colour ?? "--rest"})`,
              "stroke-width": one.colour ? "2" : "1",
              "stroke-opacity": alpha,
              "stroke-dasharray": one.dash?.join(" ") ?? "none",
            },
          });
        }),
  };
  return plot;
}

/** The curves as a table: a row per point. */
export const lineRows = (curves, yLabel) => ({
  columns: ["run", "epoch", yLabel],
  rows: curves.flatMap(({ name, xs, ys }) => xs.map((epoch, index) => [name, epoch, ys[index]])),
});

/** Put a value where it belongs; nearly always that is the end. */
export function put(curve, epoch, value) {
  let index = curve.xs.length;
  while (index > 0 && curve.xs[index - 1] > epoch) index--;
  if (index > 0 && curve.xs[index - 1] === epoch) {
    if (curve.ys[index - 1] === value) return;
    curve.ys[index - 1] = value;
  } else if (index === curve.xs.length) return void (curve.xs.push(epoch), curve.ys.push(value));
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

/** Names beside their lines; `out`: the address without one. */
export const legend = (curves) =>
  h(
    "ul",
    { class: "legend" },
    curves.map((one) =>
      h(
        "li",
        null,
        swatch(one),
        one.href ? h("a", { href: one.href }, one.name) : one.name,
        one.out &&
          h(
            "a",
            { class: "out", href: one.out, "aria-label": `Remove ${one.name}`, title: "Remove from the comparison" },
            "×",
          ),
      ),
    ),
  );

export const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"];
const DASHES = [null, [7, 3], [2, 2], [10, 3, 2, 3]];

/** How one of many lines is told apart: in the colours, then in the colours with dashes; grey where both have come to an end. */
export const styleOf = (index) =>
  index < COLOURS.length * DASHES.length
    ? { colour: COLOURS[index % COLOURS.length], dash: DASHES[Math.floor(index / COLOURS.length)] }
    : { colour: null, dash: null };
