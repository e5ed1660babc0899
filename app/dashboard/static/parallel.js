// Parallel coordinates: an axis per parameter and one for the score, a line per trial; drag on an axis to filter.

import { count, num, s } from "./dom.js";
import { nothing } from "./figure.js";
import { colourOf, cutName, extent, label, linear, ofSpec } from "./scale.js";
import { isBest, isScored, trialText } from "./scores.js";

const BOTTOM = 26;
const FOOT = 6;
const TOP = 40;
const AT_ONCE = 200;

const OTHER = "\0"; // no name has it

/** The axes of what is wanted: that of the score, or of the first of several objectives, is called "". */
export const goalsOf = ({ metrics }) => ["", ...metrics.slice(1).map((metric) => OTHER + metric)];

const valueOn = (axis, trial) =>
  axis === "" ? trial.score : axis.startsWith(OTHER) ? trial.scores[axis.slice(1)] : trial.params[axis];

/** A filter: an axis to the lowest and highest value let through, or to the options where it has some. */
export function isOutOf(brushes, trial) {
  for (const [name, filter] of brushes) {
    const value = valueOn(name, trial);
    if (value === null || value === undefined) return true;
    if (filter.options ? !filter.options.includes(String(value)) : !(value >= filter.low && value <= filter.high))
      return true;
  }
  return false;
}

/** The lines over these parameters; `onBrush(axis, filter or null)` hears of changes. */
export function parallel(model, names, brushes, onBrush, width, height) {
  const shown = model.trials.filter(isScored);
  if (!shown.length) return nothing(width, height, "No trial has a score yet");
  const range = [height - BOTTOM, TOP];
  const scales = new Map(
    names.map((name) => [
      name,
      ofSpec(
        model.space[name],
        range,
        shown.map((one) => one.params[name]),
      ),
    ]),
  );
  const goals = goalsOf(model);
  const titleOf = (name) => (name === "" ? model.metric : name.startsWith(OTHER) ? name.slice(1) : name);
  for (const goal of goals)
    scales.set(
      goal,
      linear(
        extent(
          shown.map((one) => valueOn(goal, one)),
          0.02,
        ) ?? [0, 1],
        range,
      ),
    );
  const step = (width - 110) / (scales.size - 1);
  const places = new Map([...scales.keys()].map((name, index) => [name, 40 + index * step]));
  const pixel = (trial, name) =>
    (valueOn(name, trial) ?? null) === null ? height - FOOT : scales.get(name)(valueOn(name, trial));
  const strands = [...shown]
    .sort((a, b) => a.share - b.share)
    .map((trial) => ({
      trial,
      isOut: isOutOf(brushes, trial),
      places: [...places].map(([name, x]) => [x, pixel(trial, name)]),
    }));
  const isUp = ({ trial, isOut }) => !isOut && isBest(model, trial);
  const isDown = (one) => !isUp(one);
  const path = (one) => `M${one.places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
  return {
    isLong: true,
    *paint(context) {
      context.lineWidth = strands.length > 1000 ? 1 : 1.3;
      context.lineJoin = "bevel";
      let n = 0;
      const density = Math.min(1, 0.15 + 90 / strands.length); // many are fainter, and the better ones less so
      for (const one of strands.filter((one) => one.isOut).concat(strands.filter((one) => !one.isOut && isDown(one)))) {
        context.globalAlpha = one.isOut ? 0.2 * density : density === 1 ? 1 : density * (0.25 + 0.75 * one.trial.share);
        context.strokeStyle = colourOf(one.isOut ? "var(--faint)" : one.trial.shade);
        context.beginPath();
        one.places.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
        context.stroke();
        if (++n % AT_ONCE === 0) yield;
      }
      context.globalAlpha = 1;
    },
    vector: () =>
      strands
        .filter(isDown)
        .reverse()
        .map((one) =>
          s("path", {
            class: one.isOut ? "strand out" : "strand",
            d: path(one),
            style: { "--shade": one.trial.shade },
          }),
        ),
    nodes: [
      strands
        .filter(isUp)
        .map((one) => s("path", { class: model.isMany ? "strand best front" : "strand best", d: path(one) })),
      [...places].map(([name, x]) =>
        axis(name, x, scales.get(name), {
          title: titleOf(name),
          filterNow: () => brushes.get(name),
          left: () => `${count(strands.filter((one) => !one.isOut).length, "trial")} left`,
          room: Math.floor((step - 8) / 7.8),
          range,
          absentAt: model.space[name]?.when ? height - FOOT : null,
          onBrush,
          isFirst: name === names[0],
          isLast: name === goals.at(-1),
        }),
      ),
    ],
    marks: () =>
      shown
        .map((trial) => ({
          key: trial.number,
          x: places.get(""),
          y: pixel(trial, ""),
          text: () => trialText(trial, model.metric),
          href: trial.href,
        }))
        .sort((a, b) => b.y - a.y),
  };
}

/** From two places on an axis to a filter, and back. */
function filterOf(scale, y1, y2) {
  const [top, bottom] = [Math.min(y1, y2), Math.max(y1, y2)];
  if (!scale.isDiscrete) return { low: scale.invert(bottom), high: scale.invert(top) };
  return { options: scale.domain.map(String).filter((one) => scale(one) >= top - 0.5 && scale(one) <= bottom + 0.5) };
}

function placeOf(scale, filter) {
  if (!filter.options) return [scale(filter.high), scale(filter.low)];
  const half = Math.abs(scale.range[1] - scale.range[0]) / scale.domain.length / 2.5;
  const at = filter.options.map(scale);
  return [Math.min(...at) - half, Math.max(...at) + half];
}

function axis(name, x, scale, { title, filterNow, left, room, range, absentAt, onBrush, isFirst, isLast }) {
  const [bottom, top] = range;
  const clamp = (y) => Math.min(Math.max(y, top), bottom);
  const ticks = scale.isDiscrete ? scale.ticks() : scale.ticks(4);
  const filter = filterNow();
  const told = !filter
    ? "all"
    : filter.options
      ? filter.options.join(", ") || "none"
      : `${num(filter.low, 3)} to ${num(filter.high, 3)}`;
  const brushOf = (filter) =>
    filter && (!filter.options || filter.options.length) ? placeOf(scale, filter).map(clamp) : null;
  const brush = brushOf(filter);
  const handle = s("rect", {
    class: "handle",
    x: x - 12,
    width: 24,
    y: top - 6,
    height: bottom - top + 12,
    tabindex: 0,
    role: "slider",
    "data-axis": name,
    "aria-label": `Filter by ${title}`,
    "aria-orientation": "vertical",
    "aria-valuetext": filter ? `${told}: ${left()}` : told,
    "aria-valuenow": filter ? 1 : 0,
    "aria-valuemin": 0,
    "aria-valuemax": 1,
  });
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    const box = handle.ownerSVGElement.getBoundingClientRect();
    const from = clamp(event.clientY - box.top);
    const placed = (moved) => clamp(moved.clientY - box.top);
    const move = (moved) => Math.abs(placed(moved) - from) > 3 && onBrush(name, filterOf(scale, from, placed(moved)));
    const up = (raised) => {
      for (const [type, act] of [
        ["pointermove", move],
        ["pointerup", up],
        ["pointercancel", up],
      ])
        removeEventListener(type, act);
      if (Math.abs(placed(raised) - from) < 4) onBrush(name, null);
    };
    for (const [type, act] of [
      ["pointermove", move],
      ["pointerup", up],
      ["pointercancel", up],
    ])
      addEventListener(type, act);
  });
  // Up and down move the lower end, with Shift the upper one; from where they are by now, which may not have been drawn yet.
  handle.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const [high, low] = brushOf(filterNow()) ?? [top, bottom];
    if (event.key === "Escape") onBrush(name, null);
    else if (move) {
      const pitch = scale.isDiscrete ? (bottom - top) / scale.domain.length : (bottom - top) / 10;
      const ends = event.shiftKey ? [clamp(high + move * pitch), low] : [high, clamp(low + move * pitch)];
      onBrush(
        name,
        ends[0] <= top && ends[1] >= bottom ? null : filterOf(scale, ends[0], Math.max(ends[1], ends[0] + 4)),
      );
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return s(
    "g",
    { class: "axis" },
    s(
      "text",
      { class: "title", x: isFirst ? 0 : x, y: 18, "text-anchor": isFirst ? "start" : "middle" },
      s("title", null, title),
      cutName(title, Math.max(room, 5)),
    ),
    s("line", { class: "base", x1: x, x2: x, y1: top, y2: bottom }),
    ticks.map((tick) => s("text", { x: x + 7, y: scale(tick) + 4 }, label(tick, isLast ? 9 : Math.max(4, room - 1)))),
    absentAt && s("text", { x: x + 7, y: absentAt + 4 }, "absent"),
    brush && s("rect", { class: "brush", x: x - 8, width: 16, y: brush[0], height: Math.max(3, brush[1] - brush[0]) }),
    handle,
  );
}

/** The trials as a table. */
export const trialRows = (model) => ({
  columns: ["trial", "state", ...model.metrics, ...Object.keys(model.space)],
  rows: model.trials.map((trial) => [
    trial.number,
    trial.state,
    ...model.metrics.map((metric) => (model.isMany ? trial.scores[metric] : trial.score)),
    ...Object.keys(model.space).map((name) => trial.params[name]),
  ]),
});
