// Curves over epochs, dense ones too: axes in SVG, lines on a canvas, the same lines as SVG paths for a download.
//
// A curve: {xs, ys, name, colour (a custom property) or null for a grey one, isStopped, href}.

import { h, num, s } from "./dom.js";
import { nothing } from "./figure.js";
import { axes, colourOf, linear } from "./scale.js";

const MOST_SAMPLED = 4000;

/** The range of most values: a run that explodes does not flatten all others. */
function sight(curves) {
  const total = curves.reduce((sum, one) => sum + one.ys.length, 0);
  const every = Math.max(1, Math.floor(total / MOST_SAMPLED));
  const sample = [];
  for (const { ys } of curves) for (let index = ys.length - 1; index >= 0; index -= every) if (typeof ys[index] === "number") sample.push(ys[index]);
  if (!sample.length) return null;
  sample.sort((a, b) => a - b);
  const at = (share) => sample[Math.round(share * (sample.length - 1))];
  const [low, high, q1, q3] = [at(0), at(1), at(0.1), at(0.9)];
  const reach = 3 * (q3 - q1);
  const [bottom, top] = reach > 0 ? [Math.max(low, q1 - reach), Math.min(high, q3 + reach)] : [low, high];
  const air = (top - bottom) * 0.05;
  return [bottom - air, top + air];
}

/** A little beyond, so that the axis moves seldom while a curve grows. */
function roomy(last) {
  if (last < 10) return 10;
  const power = 10 ** Math.floor(Math.log10(last)) / 4;
  return Math.ceil((last + 1) / power) * power;
}

function trace(pen, { xs, ys }, x, y) {
  let isDown = false;
  const [low, high] = x.domain;
  for (let index = 0; index < xs.length; index++) {
    if (typeof ys[index] !== "number") { isDown = false; continue; }
    if (xs[index + 1] < low || xs[index - 1] > high) continue;
    if (isDown) pen.lineTo(x(xs[index]), y(ys[index]));
    else pen.moveTo(x(xs[index]), y(ys[index]));
    isDown = true;
  }
}

export function lines(curves, width, height, zoom, { xLabel = "epoch", yLabel } = {}) {
  const range = sight(curves);
  if (!range) return nothing(width, height, "No epochs yet");
  const last = Math.max(...curves.map(({ xs }) => xs.at(-1) ?? 0));
  const first = Math.min(...curves.map(({ xs }) => xs[0] ?? Infinity));
  const y = linear(range, [height - 40, 26]);
  const x = linear(zoom ?? [Math.min(first, last), curves.some((one) => one.isOpen) ? Math.min(roomy(last), last * 1.25 + 2) : last], [56, width - 14]);
  const ordered = [...curves].sort((a, b) => Boolean(a.colour) - Boolean(b.colour));
  const ends = curves.filter(({ ys }) => typeof ys.at(-1) === "number").map((one) => [one, x(one.xs.at(-1)), y(one.ys.at(-1))]);
  const isInside = ([, px, py]) => px >= 55 && px <= width - 10 && py >= 20 && py <= height - 36;
  return {
    x, y,
    nodes: [axes(x, y, { xLabel, yLabel }), ends.filter(isInside).map(([one, px, py]) => one.isStopped
      ? s("path", { class: "stop-mark", d: `M${px - 3} ${py - 3}l6 6m0 -6l-6 6`, style: { stroke: `var(${one.colour ?? "--faint-ink"})` } })
      : one.colour && s("circle", { class: "end-mark", cx: px, cy: py, r: 3, style: { fill: `var(${one.colour})` } }))],
    marks: curves.length > 8 || curves.every((one) => one.xs.length > 200)
      ? ends.filter(isInside).map(([one, px, py]) => ({ x: px, y: py, href: one.href, text: [one.name, `${num(one.ys.at(-1))} at ${xLabel} ${num(one.xs.at(-1))}${one.isStopped ? ", stopped" : ""}`] }))
      : curves.flatMap((one) => one.xs.map((epoch, index) => ({ x: x(epoch), y: y(one.ys[index]), href: one.href, text: [one.name, `${num(one.ys[index])} at ${xLabel} ${num(epoch)}`] }))).filter((mark) => mark.x >= 55 && Number.isFinite(mark.y)),
    paint(context) {
      context.save();
      context.beginPath();
      context.rect(55, 20, width - 65, height - 59);
      context.clip();
      context.lineJoin = "round";
      for (const one of ordered) {
        context.beginPath();
        context.strokeStyle = colourOf(`var(${one.colour ?? "--faint"})`);
        context.lineWidth = one.colour ? 2 : 1;
        trace(context, one, x, y);
        context.stroke();
      }
      context.restore();
    },
    vector: () => [...ordered].reverse().map((one) => {
      let d = "";
      trace({ moveTo: (a, b) => { d += `M${a.toFixed(1)} ${b.toFixed(1)}`; }, lineTo: (a, b) => { d += `L${a.toFixed(1)} ${b.toFixed(1)}`; } }, one, x, y);
      return s("path", { class: "curve", d, style: { fill: "none", stroke: `var(${one.colour ?? "--faint"})`, "stroke-width": one.colour ? "2" : "1" } });
    }),
  };
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
  if (index > 0 && curve.xs[index - 1] === epoch) curve.ys[index - 1] = value;
  else if (index === curve.xs.length) { curve.xs.push(epoch); curve.ys.push(value); }
  else { curve.xs.splice(index, 0, epoch); curve.ys.splice(index, 0, value); }
}

/** Names beside their colours. */
export const legend = (curves) => h("ul", { class: "legend" }, curves.filter((one) => one.colour).map((one) =>
  h("li", null, h("span", { class: "swatch", style: { background: `var(${one.colour})` } }), one.href ? h("a", { href: one.href }, one.name) : one.name)));

export const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"];
