// What the trials of a tuner came to: a model of them; in one sentence; as dots over the trials that ended, against a
// parameter, of one objective against another; what matters; and how they learnt.

import { query } from "./api.js";
import { count, fill, h, num, s } from "./dom.js";
import { figure, nothing } from "./figure.js";
import { COLOURS, legend, lineRows, lines, put, styleOf } from "./lines.js";
import { axes, colourOf, cut, cutName, extent, LETTER, linear, ofSpec, widen } from "./scale.js";

// -------------------------------------------------------------------------------------------------------------- trials

const SCORED = new Set(["completed", "stopped"]);
const LOST = new Set(["failed", "infeasible"]);
const SHOWN_PARAMS = 8;

/** Whether a trial has a score that counts. */
export const isScored = (trial) => SCORED.has(trial.state) && typeof trial.score === "number";

/** Whether it ended without one. */
const isLost = (trial) => LOST.has(trial.state);

/** Whether a trial has a score that counts in each of these metrics. */
const hasScores = (trial, metrics) =>
  SCORED.has(trial.state) && metrics.every((metric) => typeof trial.scores[metric] === "number");

/** Whether it is the best one, or of several objectives beaten by none. */
export const isBest = (model, trial) => trial.trialId === model.bestId || model.front.has(trial.trialId);

/** The trials of an answer of the service, which has them in columns. */
export function trialsOf({ tuner, trials: columns }) {
  const [{ metric }] = tuner.objectives;
  const isMany = tuner.objectives.length > 1;
  const at = (table, index) => Object.fromEntries(Object.entries(table).map(([name, values]) => [name, values[index]]));
  return columns.number.map((number, index) => ({
    number,
    trialId: columns.trial_id[index],
    runId: columns.run_id[index],
    state: columns.state[index],
    score: isMany ? columns.scores[metric][index] : columns.score[index],
    place: columns.place[index],
    reason: columns.reason[index],
    worker: columns.worker[index],
    attempt: columns.attempt[index],
    endTime: columns.end_time[index],
    href: columns.run_id[index] && `#/runs/${columns.run_id[index]}`,
    params: at(columns.params, index),
    scores: at(columns.scores, index),
  }));
}

/** The answer of the service as the charts want it; `older`: trials that it left out this time. */
export function modelOf(seen, older = []) {
  const { tuner } = seen;
  const [objective] = tuner.objectives;
  const isUpward = objective.direction === "maximize";
  const isMany = tuner.objectives.length > 1;
  const fresh = trialsOf(seen);
  const known = new Set(fresh.map((trial) => trial.number));
  const trials = [...older.filter((trial) => !known.has(trial.number)), ...fresh].sort((a, b) => a.number - b.number);
  rank(trials, isUpward);
  return {
    tuner,
    trials,
    isUpward,
    isMany,
    metric: objective.metric,
    metrics: tuner.objectives.map((one) => one.metric),
    space: tuner.space,
    improvements: isMany ? [] : seen.improvements,
    nEnded: seen.n_ended,
    nTrials: seen.n_trials,
    nProposed: seen.n_proposed,
    nRuns: seen.n_runs,
    bestId: tuner.best?.trial_id ?? null,
  };
}

/** Give each trial its share of the way from the worst score to the best, or null, and the colour of that. */
function rank(trials, isUpward) {
  // By rank, not by value: a few very bad ones do not make all others look alike.
  const ranked = trials.filter(isScored).sort((a, b) => (isUpward ? a.score - b.score : b.score - a.score));
  for (const trial of trials) trial.share = null;
  ranked.forEach((trial, index) => {
    trial.share = ranked.length > 1 ? index / (ranked.length - 1) : 1;
  });
  for (const trial of trials) trial.shade = shade(trial.share);
}

/** The colour of a score: pale where it is poor, deep where it is good. `share` is 0 to 1, or null. */
const shade = (share) =>
  share === null ? "var(--rest)" : `color-mix(in oklch, var(--good) ${Math.round(share * 20) * 5}%, var(--poor))`;

/** The ids of the trials that none of these beats in one objective without losing in another. */
export function frontOf(trials, objectives) {
  const metrics = objectives.map(({ metric }) => metric);
  const costs = (trial) =>
    objectives.map(({ metric, direction }) => (direction === "maximize" ? -1 : 1) * trial.scores[metric]);
  const beats = (a, b) => a.every((one, index) => one <= b[index]) && a.some((one, index) => one < b[index]);
  let front = [];
  for (const trial of trials.filter((one) => hasScores(one, metrics))) {
    const cost = costs(trial);
    if (front.some((one) => beats(one.cost, cost))) continue;
    front = front.filter((one) => !beats(cost, one.cost));
    front.push({ id: trial.trialId, cost });
  }
  return new Set(front.map(({ id }) => id));
}

/** The first parameters of a trial, a line each. */
const paramTexts = (trial) =>
  Object.entries(trial.params)
    .filter(([, value]) => value !== null)
    .slice(0, SHOWN_PARAMS)
    .map(([name, value]) => `${name} ${num(value, 3)}`);

/** What a chart tells of a trial that is pointed at, a line each. */
export function trialText(trial, metric) {
  const reason = trial.reason ? [cut(trial.reason, 120)] : [];
  if (isLost(trial)) return [`Trial ${trial.number}: ${trial.state}`, ...reason, ...paramTexts(trial)];
  const isStopped = trial.state === "stopped";
  return [
    `Trial ${trial.number}${isStopped ? ", stopped early" : ""}`,
    `${metric} ${num(trial.score)}`,
    ...paramTexts(trial),
  ];
}

/** The trials as a table. */
export function trialRows({ trials, metrics, isMany, space }) {
  const params = Object.keys(space);
  return {
    columns: ["trial", "state", ...metrics, ...params],
    rows: trials.map((trial) => [
      trial.number,
      trial.state,
      ...metrics.map((metric) => (isMany ? trial.scores[metric] : trial.score)),
      ...params.map((name) => trial.params[name]),
    ]),
  };
}

// ----------------------------------------------------------------------------------------------------- in one sentence

/** The best trial, when it was found and by how much it is better, and what matters (`shares` of the parameters). */
export function sentence(model, shares) {
  const { tuner, metric } = model;
  if (model.isMany && model.front.size) return sentenceOfMany(model);
  if (!tuner.best) return sentenceOfNone(model);
  const last = model.improvements.at(-1);
  const found = foundAgo(last ? model.nEnded - last.place : 0);
  const [matters] = Object.entries(shares).sort((a, b) => b[1] - a[1])[0] ?? [];
  const most = matters ? `; ${matters} matters most` : "";
  return `Trial ${tuner.best.number} is best: ${metric} ${num(tuner.best.score)}, ${found}${margin(model)}${most}.`;
}

const foundAgo = (since) => (since === 0 ? "found just now" : `found ${count(since, "trial")} ago`);

function margin({ improvements, isUpward }) {
  const [before, last] = improvements.slice(-2);
  if (!last) return "";
  return `, ${num(Math.abs(last.score - before.score), 2)} ${isUpward ? "above" : "below"} the previous best`;
}

function sentenceOfMany(model) {
  const { front, nEnded } = model;
  const among = model.trials.filter((trial) => front.has(trial.trialId));
  const bests = model.tuner.objectives.map((objective) => bestIn(objective, among)).filter(Boolean);
  const are = `${num(front.size)} of ${count(nEnded, "trial")} ${front.size === 1 ? "is" : "are"} unbeaten`;
  const newest = front.size === 1 ? "" : "the newest ";
  const ago = () => foundAgo(nEnded - Math.max(...among.map((trial) => trial.place)));
  return `${are}${among.length ? `, ${newest}${ago()}` : ""}. Best: ${bests.join(", ")}.`;
}

/** The best score in one objective, and whose it is. */
function bestIn({ metric, direction }, trials) {
  const sign = direction === "maximize" ? -1 : 1;
  const [first] = trials
    .filter((trial) => typeof trial.scores[metric] === "number")
    .sort((a, b) => sign * (a.scores[metric] - b.scores[metric]));
  return first && `${metric} ${num(first.scores[metric])} in trial ${first.number}`;
}

function sentenceOfNone({ tuner: { counts }, trials, nEnded }) {
  const { running } = counts;
  if (running) return `No trial has a score yet; ${count(running, "trial")} ${running === 1 ? "is" : "are"} running.`;
  const last = trials
    .filter(isLost)
    .sort((a, b) => a.place - b.place)
    .at(-1);
  if (!last) return "No trial has a score yet.";
  const lost = [
    counts.failed && `${num(counts.failed)} failed`,
    counts.infeasible && `${num(counts.infeasible)} infeasible`,
  ].filter(Boolean);
  const reason = last.reason ? `. The last one: ${cut(last.reason, 120)}` : ".";
  return `None of ${count(nEnded, "trial")} has a score: ${lost.join(", ")}${reason}`;
}

// ---------------------------------------------------------------------------------------------------------------- dots

const CROSS = 3;
const AT_ONCE = 600;
const FOOT = 0.1;

/** Best so far over the trials in the order in which they ended; those without a score stand at the foot. */
export function bestSoFar(model, width, height, zoom) {
  const shown = model.trials.filter((trial) => trial.place && (isScored(trial) || isLost(trial)));
  const scores = [...shown.filter(isScored), ...model.improvements].map((one) => one.score);
  if (!shown.length) return nothing(width, height, "No trial has ended yet");
  const y = linear(scores.length ? sight(scores, model.isUpward, shown.some(isLost)) : [0, 1], [height - 40, 26]);
  const full = [1, Math.max(model.nEnded, 2)];
  const x = linear(zoom ?? full, [56, width - 14], true);
  const clip = (value) => Math.min(Math.max(value, y.range[1] - 4), y.range[0]);
  const dots = shown
    .filter(({ place }) => place >= x.domain[0] && place <= x.domain[1])
    .map((trial) => ({ trial, x: x(trial.place), y: isLost(trial) ? y.range[0] - 5 : clip(y(trial.score)) }));
  const path = stepsOf(model, x, (score) => clip(y(score)));
  const { top, ...picture } = cloud(model, dots);
  return {
    x,
    y,
    full,
    ...picture,
    marks: marksOf(model, dots),
    nodes: [
      scores.length
        ? axes(x, y, { xLabel: "trials ended", yLabel: model.metric })
        : nothing(width, height, "No trial has a score").nodes,
      path && s("path", { class: "step", d: path }),
      top,
    ],
  };
}

/** The line of the best score so far, as far as it lies within the zoom. */
function stepsOf({ improvements, nEnded }, x, yOf) {
  const [from, to] = x.domain;
  const before = improvements.filter((one) => one.place <= from).at(-1);
  const inside = improvements.filter((one) => one.place > from && one.place <= to);
  const start = before ?? inside[0];
  if (!start) return "";
  return [
    `M${before ? x.range[0] : x(start.place)} ${yOf(start.score)}`,
    ...inside.map((one) => `H${x(one.place)}V${yOf(one.score)}`),
    `H${x(Math.min(nEnded, to))}`,
  ].join("");
}

/** Score against one parameter, log where its range is; at the foot what failed there. */
export function against(model, name, width, height) {
  const shown = model.trials.filter(
    (trial) => (isScored(trial) || isLost(trial)) && trial.params[name] !== null && trial.params[name] !== undefined,
  );
  if (!shown.some(isScored)) return nothing(width, height, "No trial has a score yet");
  const values = shown.map((one) => one.params[name]);
  const scores = shown.filter(isScored).map((one) => one.score);
  const x = ofSpec(model.space[name], [50, width - 12], values);
  const y = linear(sight(scores, model.isUpward, shown.some(isLost)), [height - 34, 14]);
  const clip = (value) => Math.min(Math.max(value, 10), y.range[0]);
  // Beside each other where many share one place; always the same way.
  const shift = (trial) =>
    x.isDiscrete ? (((trial.number * 37) % 17) / 17 - 0.5) * 0.5 * ((x.range[1] - x.range[0]) / x.domain.length) : 0;
  const dots = shown.map((trial) => ({
    trial,
    x: x(trial.params[name]) + shift(trial),
    y: isLost(trial) ? y.range[0] - 5 : clip(y(trial.score)),
  }));
  const { top, ...picture } = cloud(model, dots);
  return { x, y, ...picture, nodes: [axes(x, y), top], marks: marksOf(model, dots) };
}

/** One objective against another; the front is what none beats, and a line parts what it beats from the rest. */
export function front(model, [first, second], width, height) {
  const shown = model.trials.filter((trial) => hasScores(trial, [first, second]));
  if (!shown.length) return nothing(width, height, "No trial has scores yet");
  const x = linear(extent(shown.map((one) => one.scores[first])), [56, width - 14]);
  const y = linear(extent(shown.map((one) => one.scores[second])), [height - 40, 26]);
  const dots = shown.map((trial) => ({ trial, x: x(trial.scores[first]), y: y(trial.scores[second]) }));
  const { top, ...picture } = cloud(model, dots);
  const path = partingLine(model, dots);
  const text = (trial) => [
    `Trial ${trial.number}${model.front.has(trial.trialId) ? ", unbeaten" : ""}`,
    ...model.metrics.map((metric) => `${metric} ${num(trial.scores[metric])}`),
    ...paramTexts(trial),
  ];
  return {
    x,
    y,
    ...picture,
    nodes: [axes(x, y, { xLabel: first, yLabel: second }), path && s("path", { class: "step front", d: path }), top],
    marks: marksOf(model, dots, text),
  };
}

/** Through the corners of the front; of more than two objectives there is no such line. */
function partingLine(model, dots) {
  if (model.metrics.length !== 2) return "";
  const corners = dots.filter(({ trial }) => model.front.has(trial.trialId)).sort((a, b) => a.x - b.x);
  if (corners.length < 2) return "";
  const [start, ...rest] = corners;
  const step = model.isUpward ? (one) => `V${one.y}H${one.x}` : (one) => `H${one.x}V${one.y}`;
  return `M${start.x} ${start.y}${rest.map(step).join("")}`;
}

/**
 * A range in which most scores lie: of bad outliers no more than their presence is seen; what was lost has room at the
 * foot.
 */
function sight(scores, isUpward, isAnyLost) {
  const sorted = [...scores].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const reach = 4 * (at(0.75) - at(0.25));
  let [low, high] = [at(0), at(1)];
  if (reach > 0 && sorted.length > 8) {
    if (isUpward) low = Math.max(low, at(0.25) - reach);
    else high = Math.min(high, at(0.75) + reach);
  }
  return widen(extent([low, high]), isAnyLost ? high * FOOT - low * FOOT : 0, 0);
}

/** Dots by the hundred: on a canvas, and as SVG for a download; the best ones on `top` of either. */
function cloud(model, dots) {
  const best = dots.filter((one) => isBest(model, one.trial));
  const rest = dots.filter((one) => !isBest(model, one.trial));
  const radius = radiusOf(dots.length);
  return {
    top: best.map((one) => s("circle", { class: "dot best", cx: one.x, cy: one.y, r: 5 })),
    isLong: true,
    paint: (context) => paintDots(context, rest, radius, model.isOut),
    vector: () => rest.map((one) => dotNode(one, radius)),
  };
}

function radiusOf(nDots) {
  if (nDots > 2000) return 1.8;
  return nDots > 500 ? 2.4 : 3;
}

/** Whether it is drawn as a ring. */
const isHollow = ({ trial }) => trial.state === "stopped";

function* paintDots(context, dots, radius, isOut) {
  context.lineWidth = 1.5;
  for (const [index, one] of dots.entries()) {
    if (index % AT_ONCE === AT_ONCE - 1) yield;
    context.globalAlpha = isOut?.(one.trial) ? 0.1 : 1;
    context.beginPath();
    if (isLost(one.trial)) paintCross(context, one);
    else paintDot(context, one, radius);
  }
  context.globalAlpha = 1;
}

function paintCross(context, { x, y }) {
  context.strokeStyle = colourOf("var(--bad)");
  for (const side of [-CROSS, CROSS]) {
    context.moveTo(x - CROSS, y - side);
    context.lineTo(x + CROSS, y + side);
  }
  context.stroke();
}

function paintDot(context, one, radius) {
  const colour = colourOf(one.trial.shade);
  context.arc(one.x, one.y, radius, 0, 7);
  if (isHollow(one)) {
    context.strokeStyle = colour;
    context.stroke();
  } else {
    context.fillStyle = colour;
    context.fill();
  }
}

function dotNode(one, radius) {
  const { trial, x, y } = one;
  if (isLost(trial)) return s("path", { class: "lost-mark", d: `M${x - CROSS} ${y - CROSS}l6 6m0 -6l-6 6` });
  return s("circle", {
    class: isHollow(one) ? "dot stopped" : "dot",
    cx: x,
    cy: y,
    r: radius,
    style: { "--shade": trial.shade },
  });
}

/** What the pointer and the arrow keys go to, from left to right. */
const marksOf =
  (model, dots, text = (trial) => trialText(trial, model.metric)) =>
  () =>
    [...dots]
      .sort((a, b) => a.x - b.x)
      .map(({ trial, x, y }) => ({ key: trial.number, x, y, href: trial.href, text: () => text(trial) }));

// -------------------------------------------------------------------------------------------------------- what matters

const BARS_TOP = 16;
const TEXT_FALL = 4; // from the middle of a bar to the base line of what stands beside it

/** These parameters, the most important first. */
export const byShare = (names, shares) => [...names].sort((a, b) => (shares[b] ?? 0) - (shares[a] ?? 0));

/** Each parameter's share of what is explained: of each objective (`byMetric`) a bar, in words the mean (`shares`). */
export function importance(shares, byMetric, width, height, isMuch = false) {
  const entries = Object.entries(shares).sort((a, b) => b[1] - a[1]);
  const metrics = Object.entries(byMetric);
  const isMany = metrics.length > 1;
  if (!entries.length) return nothing(width, height, isMuch ? "No parameter stands out" : "Too few trials to tell");
  const left = Math.min(150, width * 0.4);
  const thick = Math.max(3, Math.floor(16 / metrics.length));
  const row = Math.max(22, thick * metrics.length + 6);
  const isCut = entries.length > Math.floor((height - 20) / row);
  const tall = height - (isCut ? 42 : 20);
  const fits = Math.floor(tall / row);
  const pitch = Math.min(row + 22, tall / Math.min(entries.length, fits));
  const most = Math.max(...metrics.flatMap(([, of]) => Object.values(of)));
  const rows = entries.slice(0, fits).map(([name, share], index) => {
    const y = BARS_TOP + index * pitch;
    const bars = metrics.map(([metric, of]) => ({
      metric,
      share: of[name] ?? 0,
      length: Math.max(2, ((of[name] ?? 0) / most) * (width - left - 60)),
    }));
    const end = left + Math.max(...bars.map((one) => one.length));
    return { name, share, y, bars, end, middle: y + (thick * metrics.length) / 2 };
  });
  return {
    nodes: [
      rows.map((one) => barRow(one, { left, thick, isMany })),
      isCut && s("text", { class: "name", x: left, y: height - 8 }, `and ${entries.length - fits} more: see the table`),
    ],
    marks: () => rows.map((one) => ({ key: one.name, x: one.end, y: one.middle, text: textOf(one, isMany) })),
  };
}

const percent = (share, digits) => `${(share * 100).toFixed(digits)} %`;

/** A share as it stands beside its bars. */
function shortPercent(share) {
  if (share < 0.0005) return "0 %";
  return percent(share, share < 0.1 ? 1 : 0);
}

const textOf = ({ name, share, bars }, isMany) =>
  isMany
    ? [name, ...bars.map((one) => `${one.metric} ${percent(one.share, 1)}`)]
    : [name, `${percent(share, 1)} of the variance that single parameters explain`];

function barRow({ name, share, y, bars, end, middle }, { left, thick, isMany }) {
  const colour = (index) => isMany && { style: { fill: `var(${styleOf(index).colour ?? "--rest"})` } };
  return s(
    "g",
    { class: "bar-row" },
    s(
      "text",
      { class: "label", x: left - 10, y: middle + TEXT_FALL, "text-anchor": "end" },
      cutName(name, Math.floor(left / LETTER)),
    ),
    bars.map(({ length }, index) =>
      s("rect", {
        class: "bar-fill",
        x: left,
        y: y + index * thick,
        width: length,
        height: thick,
        rx: isMany ? 1 : 3,
        ...colour(index),
      }),
    ),
    s("text", { x: end + 8, y: middle + TEXT_FALL }, shortPercent(share)),
  );
}

// ----------------------------------------------------------------------------------------------------- learning curves

const N_COLOURED = 5;

/**
 * The chart of the learning curves, of what was taken and heard of since. The best few have a colour, and keep it while
 * they are among the best few. Answers:
 * - element, redraw: those of the figure
 * - take(seen, model, metric): the curves of an answer of the service, of which the model was made, and their metric
 * - hear(event): what happened since
 * - colour(): find the best ones anew
 */
export function learningCurves(address) {
  const curves = new Map();
  const slots = new Array(N_COLOURED).fill(null);
  const key = h("div", { class: "key" });
  let model = null;
  let metric = null;
  let colouring = 0;
  const all = () => [...curves.values()];
  const chart = figure({
    title: "Learning curves",
    note: () => noteOn(all()),
    file: "learning-curves",
    canZoom: true,
    height: 210,
    address,
    draw: (...how) => lines(all(), ...how, { yLabel: metric }),
    describe: () => inWords(all(), metric),
    rows: () => lineRows(all(), metric),
  });
  chart.element.append(key);

  function add(runId, name, status, xs = [], ys = []) {
    curves.set(runId, {
      runId,
      xs,
      ys,
      name,
      colour: null,
      isStopped: status === "stopped",
      isOpen: status === "running",
      href: `#/runs/${runId}`,
    });
  }

  function take(seen, next, of) {
    [model, metric] = [next, of];
    curves.clear();
    const newest = new Map(model.trials.map((trial) => [trial.trialId, trial.runId]));
    for (const one of seen.curves) {
      const isEarlier = (newest.get(one.trial_id) ?? one.run_id) !== one.run_id;
      const name = `${nameOf(one.number)}${isEarlier ? ", an earlier run" : ""}`;
      add(one.run_id, name, one.status, one.epochs, one.values);
    }
  }

  function hear(event) {
    const curve = curves.get(event.run_id);
    if (event.type === "run_start" && !curve)
      add(event.run_id, nameOf(model.trials.find((trial) => trial.trialId === event.trial_id)?.number), "running");
    else if (event.type === "epoch_end" && curve && Object.hasOwn(event.metrics, metric))
      put(curve, event.epoch, event.metrics[metric]);
    else if (event.type === "training_end" && curve)
      Object.assign(curve, { isOpen: false, isStopped: event.status === "stopped" });
    else if (event.type === "run_crash" && curve) curve.isOpen = false;
    else if (event.type === "run_delete") curves.delete(event.run_id);
    if (event.type === "epoch_end" && slots.includes(null)) colourSoon();
    chart.redraw();
  }

  function colourSoon() {
    colouring ||= requestAnimationFrame(() => {
      colouring = 0;
      colour();
    });
  }

  function colour() {
    const unbeaten = scoresOfRuns(model.trials.filter((trial) => model.front.has(trial.trialId)));
    const learnt = all().filter((one) => one.ys.length);
    const best = unbeaten.size ? spreadOf(learnt, unbeaten) : bestOf(learnt, model, metric);
    seat(new Set(best.map((one) => one.runId)));
    for (const one of curves.values())
      one.colour = slots.includes(one.runId) ? COLOURS[slots.indexOf(one.runId)] : null;
    key.hidden = !curves.size;
    const told = `${count(curves.size, "curve")}${model.nRuns > curves.size ? ` of ${num(model.nRuns)}` : ""}`;
    const compare = best.length > 1 && comparison(best, unbeaten.size);
    fill(key, legend(best), h("p", { class: "note" }, told, compare && [". ", compare]));
  }

  /** A place in the row of colours for each of these runs, the same one as before for those that had one. */
  function seat(ids) {
    slots.forEach((runId, index) => {
      if (!ids.has(runId)) slots[index] = null;
    });
    for (const id of ids) if (!slots.includes(id)) slots[slots.indexOf(null)] = id;
  }

  return { ...chart, take, hear, colour };
}

const nameOf = (number) => (typeof number === "number" ? `Trial ${number}` : "A run without a trial");

const noteOn = (curves) =>
  [curves.some((one) => !one.colour) && "grey: the others", curves.some((one) => one.isStopped) && "×: stopped early"]
    .filter(Boolean)
    .join(", ");

function inWords(curves, metric) {
  const best = curves.filter((one) => one.colour).map((one) => `${one.name} at ${num(one.ys.at(-1))}`);
  return `${count(curves.length, "curve")} of ${metric} over epochs. Best: ${best.join(", ")}.`;
}

/** The scores of trials by the runs that have them; not of the runs that lost their trial. */
const scoresOfRuns = (trials) => new Map(trials.map((trial) => [trial.runId, trial.score]));

/** The curves of the best trials, and of the best values where there is no score yet. */
function bestOf(curves, model, metric) {
  const scores = scoresOfRuns(model.trials.filter(isScored));
  const { direction } = model.tuner.objectives.find((one) => one.metric === metric) ?? model.tuner.objectives[0];
  const sign = direction === "maximize" ? 1 : -1;
  const isBetter = (value, best) => typeof value === "number" && sign * value > sign * best;
  const peak = ({ ys }) => ys.reduce((best, value) => (isBetter(value, best) ? value : best), -sign * Infinity);
  return curves
    .map((one) => [one, sign * (scores.get(one.runId) ?? peak(one))])
    .sort((a, b) => b[1] - a[1])
    .slice(0, N_COLOURED)
    .map(([one]) => one);
}

/** Of the curves of unbeaten trials so many as are coloured, from one end of the front to the other, which are in. */
function spreadOf(curves, unbeaten) {
  const row = curves
    .filter((one) => unbeaten.has(one.runId))
    .sort((a, b) => unbeaten.get(a.runId) - unbeaten.get(b.runId));
  if (row.length <= N_COLOURED) return row;
  const at = (index) => Math.round((index * (row.length - 1)) / (N_COLOURED - 1));
  return Array.from({ length: N_COLOURED }, (_, index) => row[at(index)]);
}

function comparison(best, nUnbeaten) {
  const part = best.length < nUnbeaten ? `${best.length} of ` : "";
  const what = nUnbeaten ? `${part}the ${num(nUnbeaten)} unbeaten` : `the best ${best.length}`;
  return h("a", { href: `#/compare${query({ run: best.map((one) => one.runId) })}` }, `Compare ${what}`);
}
