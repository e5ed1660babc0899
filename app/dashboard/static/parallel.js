// Parallel coordinates: an axis per parameter and one for the score, a line per trial; drag on an axis to filter.
//
// Filters are a Map of an axis to its filter: {low, high} that a value may have, or {options} where the axis has some.
// They stand in the address, as `only.` with the name of the axis.

import { count, num, s } from "./dom.js";
import { nothing } from "./figure.js";
import { colourOf, cutName, extent, label, linear, ofSpec } from "./scale.js";
import { isBest, isScored, trialText } from "./scores.js";

const BOTTOM = 26;
const FOOT = 6;
const TOP = 40;
const AT_ONCE = 200;
const DRAGGED_PX = 3; // more is to drag

/** The lines over these parameters; `onBrush(axis, filter or null)` hears of changes. */
export function parallel(model, names, brushes, onBrush, width, height) {
  const shown = model.trials.filter(isScored);
  if (!shown.length) return nothing(width, height, "No trial has a score yet");
  const range = [height - BOTTOM, TOP];
  const scales = scalesOf(model, names, shown, range);
  const step = (width - 110) / (scales.size - 1);
  const places = new Map([...scales.keys()].map((name, index) => [name, 40 + index * step]));
  const pixel = (trial, name) => {
    const value = valueOn(name, trial) ?? null;
    return value === null ? height - FOOT : scales.get(name)(value);
  };
  const strands = [...shown]
    .sort((a, b) => a.share - b.share)
    .map((trial) => ({
      trial,
      isOut: isOutOf(brushes, trial),
      places: [...places].map(([name, x]) => [x, pixel(trial, name)]),
    }));
  const nLeft = strands.filter((one) => !one.isOut).length;
  const isUp = ({ trial, isOut }) => !isOut && isBest(model, trial);
  const isDown = (one) => !isUp(one);
  const axisAt = ([name, x]) =>
    axis({
      name,
      title: titleOf(name, model),
      x,
      scale: scales.get(name),
      range,
      room: Math.floor((step - 8) / 7.8),
      absentAt: model.space[name]?.when ? height - FOOT : null,
      nLeft,
      isFirst: name === names[0],
      isLast: name === goalsOf(model).at(-1),
      filterNow: () => brushes.get(name),
      onBrush: (filter) => onBrush(name, filter),
    });
  return {
    isLong: true,
    paint: (context) => paintStrands(context, strands, isDown),
    vector: () => strands.filter(isDown).reverse().map(strandNode),
    nodes: [
      strands
        .filter(isUp)
        .map((one) => s("path", { class: model.isMany ? "strand best front" : "strand best", d: pathOf(one) })),
      [...places].map(axisAt),
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

/** A scale for each parameter and then for each objective. */
function scalesOf(model, names, trials, range) {
  const valuesOn = (axis) => trials.map((one) => valueOn(axis, one));
  const ofParam = (name) => ofSpec(model.space[name], range, valuesOn(name));
  const ofGoal = (goal) => linear(extent(valuesOn(goal), 0.02) ?? [0, 1], range);
  return new Map([
    ...names.map((name) => [name, ofParam(name)]),
    ...goalsOf(model).map((goal) => [goal, ofGoal(goal)]),
  ]);
}

// ------------------------------------------------------------------------------------------------------------- strands

function* paintStrands(context, strands, isDown) {
  context.lineWidth = strands.length > 1000 ? 1 : 1.3;
  context.lineJoin = "bevel";
  let n = 0;
  const density = Math.min(1, 0.15 + 90 / strands.length);
  const out = strands.filter((one) => one.isOut);
  const below = strands.filter((one) => !one.isOut && isDown(one));
  for (const one of out.concat(below)) {
    context.globalAlpha = opacityOf(one, density);
    context.strokeStyle = colourOf(one.isOut ? "var(--faint)" : one.trial.shade);
    context.beginPath();
    one.places.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
    if (++n % AT_ONCE === 0) yield;
  }
  context.globalAlpha = 1;
}

/** Many are fainter, and the better ones less so. */
function opacityOf({ isOut, trial }, density) {
  if (isOut) return 0.2 * density;
  return density === 1 ? 1 : density * (0.25 + 0.75 * trial.share);
}

const pathOf = (one) => `M${one.places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;

const strandNode = (one) =>
  s("path", { class: one.isOut ? "strand out" : "strand", d: pathOf(one), style: { "--shade": one.trial.shade } });

// ---------------------------------------------------------------------------------------------------------------- axes

/**
 * An axis with its filter.
 * @param name what its filter is called
 * @param title what people call it
 * @param x where it stands; `range`: from its lower end to its upper one
 * @param scale of its values
 * @param room for its title, in letters
 * @param absentAt where trials lie that do not have this parameter, or null
 * @param nLeft how many trials all filters let through
 * @param isFirst, isLast whether nothing is on its left or right
 * @param filterNow() its filter by now, which may not have been drawn yet
 * @param onBrush(filter or null) hears of changes
 */
function axis({ name, title, x, scale, range, room, absentAt, nLeft, isFirst, isLast, filterNow, onBrush }) {
  const [bottom, top] = range;
  const ticks = scale.isDiscrete ? scale.ticks() : scale.ticks(4);
  const tickRoom = isLast ? 9 : Math.max(4, room - 1);
  const filter = filterNow();
  const brush = brushOf(scale, filter);
  const handle = handleOf({ name, title, x, range, filter, nLeft });
  onDrag(handle, scale, onBrush);
  onKeys(handle, scale, filterNow, onBrush);
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
    ticks.map((tick) => s("text", { x: x + 7, y: scale(tick) + 4 }, label(tick, tickRoom))),
    absentAt && s("text", { x: x + 7, y: absentAt + 4 }, "absent"),
    brush && s("rect", { class: "brush", x: x - 8, width: 16, y: brush[0], height: Math.max(3, brush[1] - brush[0]) }),
    handle,
  );
}

const handleOf = ({ name, title, x, range: [bottom, top], filter, nLeft }) =>
  s("rect", {
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
    "aria-valuetext": filter ? `${inWords(filter)}: ${count(nLeft, "trial")} left` : inWords(filter),
    "aria-valuenow": filter ? 1 : 0,
    "aria-valuemin": 0,
    "aria-valuemax": 1,
  });

function inWords(filter) {
  if (!filter) return "all";
  if (filter.options) return filter.options.join(", ") || "none";
  return `${num(filter.low, 3)} to ${num(filter.high, 3)}`;
}

/** From two places on an axis to a filter. */
function filterOf(scale, y1, y2) {
  const [top, bottom] = [Math.min(y1, y2), Math.max(y1, y2)];
  if (!scale.isDiscrete) return { low: scale.invert(bottom), high: scale.invert(top) };
  return { options: scale.domain.map(String).filter((one) => scale(one) >= top - 0.5 && scale(one) <= bottom + 0.5) };
}

/** From a filter to its upper and lower place on the axis; null where it has none. */
function brushOf(scale, filter) {
  if (!filter || filter.options?.length === 0) return null;
  const clamp = clampTo(scale);
  if (!filter.options) return [clamp(scale(filter.high)), clamp(scale(filter.low))];
  const half = Math.abs(scale.range[1] - scale.range[0]) / scale.domain.length / 2.5;
  const at = filter.options.map(scale);
  return [clamp(Math.min(...at) - half), clamp(Math.max(...at) + half)];
}

const clampTo =
  ({ range: [bottom, top] }) =>
  (y) =>
    Math.min(Math.max(y, top), bottom);

/** To drag along the axis is to filter, to press it is to let all through. */
function onDrag(handle, scale, onBrush) {
  const clamp = clampTo(scale);
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    const box = handle.ownerSVGElement.getBoundingClientRect();
    const placed = ({ clientY }) => clamp(clientY - box.top);
    const from = placed(event);
    let isDragged = false;
    const move = (moved) => {
      isDragged ||= Math.abs(placed(moved) - from) > DRAGGED_PX;
      if (isDragged) onBrush(filterOf(scale, from, placed(moved)));
    };
    const stop = () => {
      for (const [type, act] of heard) removeEventListener(type, act);
    };
    const up = () => {
      stop();
      if (!isDragged) onBrush(null);
    };
    const heard = Object.entries({ pointermove: move, pointerup: up, pointercancel: stop });
    for (const [type, act] of heard) addEventListener(type, act);
  });
}

/** Up and down move the lower end, with Shift the upper one; from where they are by now. */
function onKeys(handle, scale, filterNow, onBrush) {
  const [bottom, top] = scale.range;
  const clamp = clampTo(scale);
  const pitch = scale.isDiscrete ? (bottom - top) / scale.domain.length : (bottom - top) / 10;

  function moveEnd(by, isUpper) {
    let [high, low] = brushOf(scale, filterNow()) ?? [top, bottom];
    if (isUpper) high = clamp(high + by);
    else low = clamp(low + by);
    const isAll = high <= top && low >= bottom;
    onBrush(isAll ? null : filterOf(scale, high, Math.max(low, high + 4)));
  }

  handle.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape") onBrush(null);
    else if (move) moveEnd(move * pitch, event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

// ------------------------------------------------------------------------------------------------------------- filters

const OTHER = "\0"; // no name has it

/** The axes of what is wanted: that of the score, or of the first of several objectives, is called "". */
export const goalsOf = ({ metrics }) => ["", ...metrics.slice(1).map((metric) => OTHER + metric)];

/** What people call an axis. */
function titleOf(axis, model) {
  if (axis === "") return model.metric;
  return axis.startsWith(OTHER) ? axis.slice(OTHER.length) : axis;
}

/** Where a trial is on an axis. */
function valueOn(axis, trial) {
  if (axis === "") return trial.score;
  return axis.startsWith(OTHER) ? trial.scores[axis.slice(OTHER.length)] : trial.params[axis];
}

/** Whether one of the filters does not let a trial through. */
export function isOutOf(filters, trial) {
  for (const [axis, { options, low, high }] of filters) {
    const value = valueOn(axis, trial);
    if (value === null || value === undefined) return true;
    const isIn = options ? options.includes(String(value)) : value >= low && value <= high;
    if (!isIn) return true;
  }
  return false;
}

/** The filters of these axes that stand in the address. */
export function filtersIn(address, axes) {
  const read = axes.map((axis) => [axis, filterIn(address.search.get(`only.${axis}`))]);
  return new Map(read.filter(([, filter]) => filter));
}

function filterIn(text) {
  try {
    const value = JSON.parse(text ?? "null");
    if (!Array.isArray(value)) return null;
    const [low, high] = value;
    const isRange = value.length === 2 && value.every((one) => typeof one === "number");
    return isRange ? { low, high } : { options: value.map(String) };
  } catch {
    return null;
  }
}

/** Let the filter of an axis stand in the address; null: none. */
export function keepFilter(address, axis, filter) {
  const short = (value) => Number(value.toPrecision(6));
  address.keep(`only.${axis}`, filter && JSON.stringify(filter.options ?? [short(filter.low), short(filter.high)]));
}
