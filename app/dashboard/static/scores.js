// What the trials of a tuner came to: in one sentence; over the trials that ended, against a parameter, of one objective
// against another; what matters; and how they learnt.

import { query } from "./api.js";
import { count, fill, h, num, s } from "./dom.js";
import { figure, nothing } from "./figure.js";
import { COLOURS, legend, lineRows, lines, put, styleOf } from "./lines.js";
import { axes, colourOf, cut, cutName, extent, LETTER, linear, ofSpec, widen } from "./scale.js";

/** The colour of a score: pale where it is poor, deep where it is good. `share` is 0 to 1, or null. */
const shade = (share) =>
  share === null ? "var(--rest)" : `color-mix(in oklch, var(--good) ${Math.round(share * 20) * 5}%, var(--poor))`;

const N_COLOURED = 5;
const SCORED = new Set(["completed", "stopped"]);
const LOST = new Set(["failed", "infeasible"]);

/** Whether a trial has a score that counts. */
export const isScored = (trial) => SCORED.has(trial.state) && typeof trial.score === "number";
const isLost = (trial) => LOST.has(trial.state);

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
  // By rank, not by value: a few very bad ones do not make all others look alike.
  const ranked = trials.filter(isScored).sort((a, b) => (isUpward ? a.score - b.score : b.score - a.score));
  for (const trial of trials) trial.share = null;
  ranked.forEach((trial, index) => {
    trial.share = ranked.length > 1 ? index / (ranked.length - 1) : 1;
  });
  for (const trial of trials) trial.shade = shade(trial.share);
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
    front: new Set(),
    isOut: null,
  };
}

/** The ids of the trials that none of these beats in one objective without losing in another. */
export function frontOf(trials, objectives) {
  const costs = (trial) =>
    objectives.map(({ metric, direction }) => (direction === "maximize" ? -1 : 1) * trial.scores[metric]);
  const beats = (a, b) => a.every((one, index) => one <= b[index]) && a.some((one, index) => one < b[index]);
  let front = [];
  for (const trial of trials.filter(
    ({ state, scores }) => SCORED.has(state) && objectives.every(({ metric }) => typeof scores[metric] === "number"),
  )) {
    const cost = costs(trial);
    if (front.some((one) => beats(one.cost, cost))) continue;
    front = front.filter((one) => !beats(cost, one.cost));
    front.push({ id: trial.trialId, cost });
  }
  return new Set(front.map(({ id }) => id));
}

/** Whether it is the best one, or of several objectives beaten by none. */
export const isBest = (model, trial) => trial.trialId === model.bestId || model.front.has(trial.trialId);

/** The answer to what people come for, in words. */
export function sentence(model, shares) {
  const { tuner, improvements, metric, nEnded } = model;
  if (model.isMany && model.front.size) return sentenceOfMany(model);
  if (!tuner.best) return sentenceOfNone(model);
  const matters = Object.entries(shares).sort((a, b) => b[1] - a[1])[0]?.[0];
  const last = improvements.at(-1);
  const before = improvements.at(-2);
  const found = foundAgo(last ? nEnded - last.place : 0);
  const margin =
    before && last
      ? `, ${num(Math.abs(last.score - before.score), 2)} ${model.isUpward ? "above" : "below"} the previous best`
      : "";
  return `Trial ${tuner.best.number} is best: ${metric} ${num(tuner.best.score)}, ${found}${margin}${matters ? `; ${matters} matters most` : ""}.`;
}

const foundAgo = (since) => (since === 0 ? "found just now" : `found ${count(since, "trial")} ago`);

function sentenceOfMany(model) {
  const among = model.trials.filter((trial) => model.front.has(trial.trialId));
  const ends = model.tuner.objectives.map(({ metric, direction }) => {
    const sign = direction === "maximize" ? -1 : 1;
    const [first] = among
      .filter((trial) => typeof trial.scores[metric] === "number")
      .sort((a, b) => sign * (a.scores[metric] - b.scores[metric]));
    return first && `${metric} ${num(first.scores[metric])} in trial ${first.number}`;
  });
  const found = among.length
    ? `, ${model.front.size === 1 ? "" : "the newest "}${foundAgo(model.nEnded - Math.max(...among.map((trial) => trial.place)))}`
    : "";
  return `${num(model.front.size)} of ${count(model.nEnded, "trial")} ${model.front.size === 1 ? "is" : "are"} unbeaten${found}. Best: ${ends.filter(Boolean).join(", ")}.`;
}

function sentenceOfNone({ tuner: { counts }, trials, nEnded }) {
  if (counts.running)
    return `No trial has a score yet; ${count(counts.running, "trial")} ${counts.running === 1 ? "is" : "are"} running.`;
  const last = trials
    .filter(isLost)
    .sort((a, b) => a.place - b.place)
    .at(-1);
  if (!last) return "No trial has a score yet.";
  return `None of ${count(nEnded, "trial")} has a score: ${[
    [counts.failed, "failed"],
    [counts.infeasible, "infeasible"],
  ]
    .filter(([n]) => n)
    .map(([n, word]) => `${num(n)} ${word}`)
    .join(", ")}${last.reason ? `. The last one: ${cut(last.reason, 120)}` : "."}`;
}

/** A range in which most scores lie: of bad outliers no more than their presence is seen; what was lost has room at the foot. */
function sight(scores, isUpward, isAnyLost) {
  const sorted = [...scores].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const reach = 4 * (at(0.75) - at(0.25));
  let [low, high] = [at(0), at(1)];
  if (reach > 0 && sorted.length > 8)
    isUpward ? (low = Math.max(low, at(0.25) - reach)) : (high = Math.min(high, at(0.75) + reach));
  return widen(extent([low, high]), isAnyLost ? high * FOOT - low * FOOT : 0, 0);
}

const paramTexts = (trial) =>
  Object.entries(trial.params)
    .filter(([, value]) => value !== null)
    .slice(0, 8)
    .map(([name, value]) => `${name} ${num(value, 3)}`);

export const trialText = (trial, metric) =>
  isLost(trial)
    ? [`Trial ${trial.number}: ${trial.state}`, trial.reason && cut(trial.reason, 120), ...paramTexts(trial)].filter(
        Boolean,
      )
    : [
        `Trial ${trial.number}${trial.state === "stopped" ? ", stopped early" : ""}`,
        `${metric} ${num(trial.score)}`,
        ...paramTexts(trial),
      ];

const CROSS = 3;
const AT_ONCE = 600;
const FOOT = 0.1;

/** Dots by the hundred: on a canvas, and as SVG for a download; the best ones stand out, what failed is a cross. */
function cloud(model, dots) {
  const front = dots.filter((one) => isBest(model, one.trial));
  const rest = dots.filter((one) => !isBest(model, one.trial));
  const hollow = (one) => one.trial.state === "stopped";
  const radius = dots.length > 2000 ? 1.8 : dots.length > 500 ? 2.4 : 3;
  return {
    top: front.map((one) => s("circle", { class: "dot best", cx: one.x, cy: one.y, r: 5 })),
    isLong: true,
    *paint(context) {
      context.lineWidth = 1.5;
      for (const [index, one] of rest.entries()) {
        if (index % AT_ONCE === AT_ONCE - 1) yield;
        context.globalAlpha = model.isOut?.(one.trial) ? 0.1 : 1;
        context.beginPath();
        if (isLost(one.trial)) {
          context.strokeStyle = colourOf("var(--bad)");
          for (const side of [-CROSS, CROSS])
            (context.moveTo(one.x - CROSS, one.y - side), context.lineTo(one.x + CROSS, one.y + side));
          context.stroke();
          continue;
        }
        context.arc(one.x, one.y, radius, 0, 7);
        context[hollow(one) ? "strokeStyle" : "fillStyle"] = colourOf(one.trial.shade);
        hollow(one) ? context.stroke() : context.fill();
      }
      context.globalAlpha = 1;
    },
    vector: () =>
      rest.map((one) =>
        isLost(one.trial)
          ? s("path", { class: "lost-mark", d: `M${one.x - CROSS} ${one.y - CROSS}l6 6m0 -6l-6 6` })
          : s("circle", {
              class: hollow(one) ? "dot stopped" : "dot",
              cx: one.x,
              cy: one.y,
              r: radius,
              style: { "--shade": one.trial.shade },
            }),
      ),
  };
}

const marksOf = (model, dots) => () =>
  [...dots]
    .sort((a, b) => a.x - b.x)
    .map((one) => ({
      key: one.trial.number,
      x: one.x,
      y: one.y,
      href: one.trial.href,
      text: () => trialText(one.trial, model.metric),
    }));

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
  const steps = model.improvements;
  const before = steps.filter((one) => one.place <= x.domain[0]).at(-1);
  const inside = steps.filter((one) => one.place > x.domain[0] && one.place <= x.domain[1]);
  const start = before ?? inside[0];
  const path =
    start &&
    [
      `M${before ? x.range[0] : x(start.place)} ${clip(y(start.score))}`,
      ...inside.map((one) => `H${x(one.place)}V${clip(y(one.score))}`),
      `H${x(Math.min(model.nEnded, x.domain[1]))}`,
    ].join("");
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

/** Score against one parameter, log where its range is; at the foot what failed there. */
export function against(model, name, width, height) {
  const shown = model.trials.filter(
    (trial) => (isScored(trial) || isLost(trial)) && trial.params[name] !== null && trial.params[name] !== undefined,
  );
  if (!shown.some(isScored)) return nothing(width, height, "No trial has a score yet");
  const x = ofSpec(
    model.space[name],
    [50, width - 12],
    shown.map((one) => one.params[name]),
  );
  const y = linear(
    sight(
      shown.filter(isScored).map((one) => one.score),
      model.isUpward,
      shown.some(isLost),
    ),
    [height - 34, 14],
  );
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
  const shown = model.trials.filter(
    (trial) =>
      SCORED.has(trial.state) && typeof trial.scores[first] === "number" && typeof trial.scores[second] === "number",
  );
  if (!shown.length) return nothing(width, height, "No trial has scores yet");
  const x = linear(extent(shown.map((one) => one.scores[first])), [56, width - 14]);
  const y = linear(extent(shown.map((one) => one.scores[second])), [height - 40, 26]);
  const dots = shown.map((trial) => ({ trial, x: x(trial.scores[first]), y: y(trial.scores[second]) }));
  const { top, ...picture } = cloud(model, dots);
  const corners =
    model.metrics.length === 2
      ? dots.filter(({ trial }) => model.front.has(trial.trialId)).sort((a, b) => a.x - b.x)
      : [];
  const step = model.isUpward ? (one) => `V${one.y}H${one.x}` : (one) => `H${one.x}V${one.y}`;
  return {
    x,
    y,
    ...picture,
    nodes: [
      axes(x, y, { xLabel: first, yLabel: second }),
      corners.length > 1 &&
        s("path", { class: "step front", d: `M${corners[0].x} ${corners[0].y}${corners.slice(1).map(step).join("")}` }),
      top,
    ],
    marks: () =>
      [...dots]
        .sort((a, b) => a.x - b.x)
        .map((one) => ({
          key: one.trial.number,
          x: one.x,
          y: one.y,
          href: one.trial.href,
          text: () => [
            `Trial ${one.trial.number}${model.front.has(one.trial.trialId) ? ", unbeaten" : ""}`,
            ...model.metrics.map((metric) => `${metric} ${num(one.trial.scores[metric])}`),
            ...paramTexts(one.trial),
          ],
        })),
  };
}

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
  const rows = entries.slice(0, fits).map(([name, share], index) => ({
    name,
    share,
    y: 16 + index * pitch,
    bars: metrics.map(([metric, of]) => ({
      metric,
      share: of[name] ?? 0,
      length: Math.max(2, ((of[name] ?? 0) / most) * (width - left - 60)),
    })),
  }));
  const percent = (share, digits) => `${(share * 100).toFixed(digits)} %`;
  const middle = (thick * metrics.length) / 2;
  const endOf = (bars) => left + Math.max(...bars.map((one) => one.length));
  return {
    nodes: [
      rows.map(({ name, share, y, bars }) =>
        s(
          "g",
          { class: "bar-row" },
          s(
            "text",
            { class: "label", x: left - 10, y: y + middle + 4, "text-anchor": "end" },
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
              ...(isMany && { style: { fill: `var(${styleOf(index).colour ?? "--rest"})` } }),
            }),
          ),
          s(
            "text",
            { x: endOf(bars) + 8, y: y + middle + 4 },
            share < 0.0005 ? "0 %" : percent(share, share < 0.1 ? 1 : 0),
          ),
        ),
      ),
      isCut && s("text", { class: "name", x: left, y: height - 8 }, `and ${entries.length - fits} more: see the table`),
    ],
    marks: () =>
      rows.map(({ name, share, y, bars }) => ({
        key: name,
        x: endOf(bars),
        y: y + middle,
        text: [
          name,
          ...(isMany
            ? bars.map((one) => `${one.metric} ${percent(one.share, 1)}`)
            : [`${percent(share, 1)} of the variance that single parameters explain`]),
        ],
      })),
  };
}

/** Of some in a row so many as are coloured, its ends among them. */
const spread = (row) =>
  row.length <= N_COLOURED
    ? row
    : Array.from({ length: N_COLOURED }, (_, index) => row[Math.round((index * (row.length - 1)) / (N_COLOURED - 1))]);

/**
 * The learning curves, of what was taken and heard of since: {element, redraw, take, hear, colour}. The best few have a colour,
 * and keep it while they are among the best few.
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
    note: () =>
      [all().some((one) => !one.colour) && "grey: the others", all().some((one) => one.isStopped) && "×: stopped early"]
        .filter(Boolean)
        .join(", "),
    file: "learning-curves",
    canZoom: true,
    height: 210,
    address,
    draw: (...how) => lines(all(), ...how, { yLabel: metric }),
    describe: () =>
      `${count(curves.size, "curve")} of ${metric} over epochs. Best: ${all()
        .filter((one) => one.colour)
        .map((one) => `${one.name} at ${num(one.ys.at(-1))}`)
        .join(", ")}.`,
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

  const nameOf = (number) => (typeof number === "number" ? `Trial ${number}` : "A run without a trial");

  /** The curves of an answer of the service, of which the model was made; `of`: their metric. */
  function take(seen, next, of) {
    [model, metric] = [next, of];
    curves.clear();
    const newest = new Map(model.trials.map((trial) => [trial.trialId, trial.runId]));
    for (const one of seen.curves) {
      const isEarlier = (newest.get(one.trial_id) ?? one.run_id) !== one.run_id;
      add(
        one.run_id,
        `${nameOf(one.number)}${isEarlier ? ", an earlier run" : ""}`,
        one.status,
        one.epochs,
        one.values,
      );
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
    if (event.type === "epoch_end" && slots.includes(null))
      colouring ||= requestAnimationFrame(() => {
        colouring = 0;
        colour();
      });
    chart.redraw();
  }

  function colour() {
    const scoreOf = new Map(model.trials.filter(isScored).map((trial) => [trial.runId, trial.score])); // not of the runs that lost it
    const { direction } = model.tuner.objectives.find((one) => one.metric === metric) ?? model.tuner.objectives[0];
    const sign = direction === "maximize" ? 1 : -1;
    const worth = (curve) =>
      sign *
      (scoreOf.get(curve.runId) ??
        curve.ys.reduce(
          (best, value) => (typeof value === "number" && sign * value > sign * best ? value : best),
          -sign * Infinity,
        ));
    const learnt = all().filter((one) => one.ys.length);
    const unbeaten = new Map(
      model.trials.filter((trial) => model.front.has(trial.trialId)).map((trial) => [trial.runId, trial.score]),
    );
    const best = unbeaten.size
      ? spread(
          learnt.filter((one) => unbeaten.has(one.runId)).sort((a, b) => unbeaten.get(a.runId) - unbeaten.get(b.runId)),
        )
      : learnt
          .map((one) => [one, worth(one)])
          .sort((a, b) => b[1] - a[1])
          .slice(0, N_COLOURED)
          .map(([one]) => one);
    const ids = new Set(best.map((one) => one.runId));
    slots.forEach((runId, index) => {
      if (!ids.has(runId)) slots[index] = null;
    });
    for (const one of best) if (!slots.includes(one.runId)) slots[slots.indexOf(null)] = one.runId;
    for (const one of curves.values())
      one.colour = slots.includes(one.runId) ? COLOURS[slots.indexOf(one.runId)] : null;
    key.hidden = !curves.size;
    const told = `${count(curves.size, "curve")}${model.nRuns > curves.size ? ` of ${num(model.nRuns)}` : ""}`;
    const compare =
      best.length > 1 &&
      h(
        "a",
        { href: `#/compare${query({ run: best.map((one) => one.runId) })}` },
        !unbeaten.size
          ? `Compare the best ${best.length}`
          : `Compare ${best.length < unbeaten.size ? `${best.length} of ` : ""}the ${num(unbeaten.size)} unbeaten`,
      );
    fill(key, legend(best), h("p", { class: "note" }, told, compare && [". ", compare]));
  }

  return { ...chart, take, hear, colour };
}
