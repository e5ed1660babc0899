// Parallel coordinates: an axis per parameter and one for the score, a line per trial; drag on an axis to filter.

import { s } from "./dom.js";
import { nothing } from "./figure.js";
import { colourOf, cut, extent, label, linear, ofSpec } from "./scale.js";
import { isScored, trialText } from "./scores.js";

const BOTTOM = 26, TOP = 40;

/** The lines; `brushes` maps an axis to the range of pixels that is let through, `onBrush` hears of changes. */
export function parallel(model, brushes, onBrush, width, height) {
  const shown = model.trials.filter(isScored);
  if (!shown.length) return nothing(width, height, "No trial has a score yet");
  const range = [height - BOTTOM, TOP];
  const names = Object.keys(model.space);
  const scales = new Map(names.map((name) => [name, ofSpec(model.space[name], range, shown.map((one) => one.params[name]))]));
  scales.set("", linear(extent(shown.map((one) => one.score), 0.02), range));
  const step = (width - 110) / names.length;
  const places = new Map([...scales.keys()].map((name, index) => [name, 40 + index * step]));
  const value = (trial, name) => (name === "" ? trial.score : trial.params[name]);
  const pixel = (trial, name) => (value(trial, name) === null || value(trial, name) === undefined ? height - 6 : scales.get(name)(value(trial, name)));
  const isOut = (trial) => [...brushes].some(([name, [top, bottom]]) => !(pixel(trial, name) >= top - 0.5 && pixel(trial, name) <= bottom + 0.5));
  model.isOut = brushes.size ? isOut : null;
  const strands = [...shown].sort((a, b) => a.share - b.share).map((trial) => ({ trial, isOut: isOut(trial), places: [...places].map(([name, x]) => [x, pixel(trial, name)]) }));
  const best = strands.find((one) => one.trial.trialId === model.bestId && !one.isOut);
  const isDown = (one) => one !== best;
  const path = (one) => `M${one.places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
  return {
    paint(context) {
      context.lineWidth = 1.3;
      const density = Math.min(0.85, 0.15 + 60 / strands.length); // many are fainter, and the better ones less so
      for (const one of strands.filter(isDown)) {
        context.globalAlpha = one.isOut ? 0.12 * density : density * (0.25 + 0.75 * one.trial.share);
        context.strokeStyle = colourOf(one.isOut ? "var(--faint)" : one.trial.shade);
        context.beginPath();
        one.places.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
        context.stroke();
      }
      context.globalAlpha = 1;
    },
    vector: () => strands.filter(isDown).reverse().map((one) => s("path", { class: one.isOut ? "strand out" : "strand", d: path(one), style: { "--shade": one.trial.shade } })),
    nodes: [best && s("path", { class: "strand best", d: path(best) }), [...places].map(([name, x]) => axis(name, x, scales.get(name), { title: name || model.metric, brush: brushes.get(name), room: Math.floor(step / 7.4), range, onBrush, isFirst: name === names[0], isLast: name === "" }))],
    marks: () => shown.map((trial) => ({ x: places.get(""), y: pixel(trial, ""), text: () => trialText(trial, model.metric), href: trial.href })).sort((a, b) => b.y - a.y),
  };
}

function axis(name, x, scale, { title, brush, room, range, onBrush, isFirst, isLast }) {
  const [bottom, top] = range;
  const ticks = scale.isDiscrete ? scale.ticks() : scale.ticks(4);
  const handle = s("rect", { class: "handle", x: x - 12, width: 24, y: top - 6, height: bottom - top + 12, tabindex: 0, role: "slider",
    "aria-label": `Filter by ${title}`, "aria-valuetext": brush ? "filtered" : "all", "aria-valuenow": brush ? 1 : 0, "aria-valuemin": 0, "aria-valuemax": 1 });
  const clamp = (y) => Math.min(Math.max(y, top), bottom);
  let from = null;
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    const box = handle.ownerSVGElement.getBoundingClientRect();
    from = clamp(event.clientY - box.top);
    const move = (moved) => onBrush(name, [Math.min(from, clamp(moved.clientY - box.top)), Math.max(from, clamp(moved.clientY - box.top))]);
    const up = (raised) => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      if (Math.abs(clamp(raised.clientY - box.top) - from) < 4) onBrush(name, null);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
  });
  handle.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape") onBrush(name, null);
    else if (move) {
      const low = clamp((brush?.[1] ?? bottom) + (move * (bottom - top)) / 10);
      onBrush(name, low >= bottom ? null : [top, Math.max(low, top + 4)]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return s("g", { class: "axis" },
    s("text", { class: "title", x: isFirst ? 0 : x, y: 18, "text-anchor": isFirst ? "start" : "middle" }, cut(title, Math.max(room, 5))),
    s("line", { class: "base", x1: x, x2: x, y1: top, y2: bottom }),
    ticks.map((tick) => s("text", { x: x + 7, y: scale(tick) + 4 }, cut(label(tick), isLast ? 9 : Math.max(4, room - 1)))),
    brush && s("rect", { class: "brush", x: x - 8, width: 16, y: brush[0], height: brush[1] - brush[0] }), handle);
}

/** The trials as a table. */
export const trialRows = (model) => ({
  columns: ["trial", "state", model.metric, ...Object.keys(model.space)],
  rows: model.trials.map((trial) => [trial.number, trial.state, trial.score, ...Object.keys(model.space).map((name) => trial.params[name])]),
});
