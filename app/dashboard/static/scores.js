// Scores: over the trials that ended, against a parameter, of one objective against another; and what matters.

import { num, s } from "./dom.js";
import { nothing } from "./figure.js";
import { axes, colourOf, cut, extent, linear, ofSpec } from "./scale.js";

/** The colour of a score: pale where it is poor, deep where it is good. `share` is 0 to 1, or null. */
export const shade = (share) => (share === null ? "var(--faint)" : `color-mix(in oklch, var(--good) ${Math.round(share * 20) * 5}%, var(--poor))`);

const SCORED = new Set(["completed", "stopped"]);

/** Whether a trial has a score that counts. */
export const isScored = (trial) => SCORED.has(trial.state) && typeof trial.score === "number";

/** A range in which most scores lie: of bad outliers no more than their presence is seen. */
function sight(scores, isUpward) {
  const sorted = [...scores].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const reach = 4 * (at(0.75) - at(0.25));
  let [low, high] = [at(0), at(1)];
  if (reach > 0 && sorted.length > 8) isUpward ? (low = Math.max(low, at(0.25) - reach)) : (high = Math.min(high, at(0.75) + reach));
  return extent([low, high]);
}

export const trialText = (trial, metric) => [`Trial ${trial.number}`, `${metric} ${num(trial.score)}`, ...Object.entries(trial.params).filter(([, value]) => value !== null).slice(0, 8).map(([name, value]) => `${name} ${num(value, 3)}`)];

/** Dots by the hundred: on a canvas, and as SVG for a download; the best one stands out. */
function cloud(dots, isBest, isOut = () => false) {
  const [front, rest] = [dots.filter((one) => isBest(one.trial)), dots.filter((one) => !isBest(one.trial))];
  const hollow = (one) => one.trial.state === "stopped";
  return {
    top: front.map((one) => s("circle", { class: "dot best", cx: one.x, cy: one.y, r: 5 })),
    paint(context) {
      for (const one of rest) {
        context.globalAlpha = isOut(one.trial) ? 0.1 : 1;
        context.beginPath();
        context.arc(one.x, one.y, 3, 0, 7);
        context[hollow(one) ? "strokeStyle" : "fillStyle"] = colourOf(one.trial.shade);
        context.lineWidth = 1.5;
        hollow(one) ? context.stroke() : context.fill();
      }
      context.globalAlpha = 1;
    },
    vector: () => rest.map((one) => s("circle", { class: hollow(one) ? "dot stopped" : "dot", cx: one.x, cy: one.y, r: 3, style: { "--shade": one.trial.shade } })),
  };
}

/** Best so far over the trials in the order in which they ended. */
export function bestSoFar(model, width, height, zoom) {
  const shown = model.trials.filter((trial) => isScored(trial) && trial.place);
  const steps = model.improvements;
  if (!steps.length) return nothing(width, height, "No trial has a score yet");
  const y = linear(sight([...shown.map((one) => one.score), ...steps.map((one) => one.score)], model.isUpward), [height - 40, 26]);
  const x = linear(zoom ?? [1, Math.max(model.nEnded, 2)], [56, width - 14]);
  const clip = (value) => Math.min(Math.max(value, y.range[1] - 4), y.range[0]);
  const isInside = (place) => place >= x.domain[0] && place <= x.domain[1];
  const seen = shown.filter((trial) => isInside(trial.place));
  const before = steps.filter((one) => one.place <= x.domain[0]).at(-1);
  const inside = steps.filter((one) => one.place > x.domain[0] && one.place <= x.domain[1]);
  const start = before ?? inside[0];
  const path = start && [`M${before ? x.range[0] : x(start.place)} ${clip(y(start.score))}`, ...inside.map((one) => `H${x(one.place)}V${clip(y(one.score))}`), `H${x(Math.min(model.nEnded, x.domain[1]))}`].join("");
  const { top, paint, vector } = cloud(seen.map((trial) => ({ trial, x: x(trial.place), y: clip(y(trial.score)) })), (trial) => trial.trialId === model.bestId);
  return {
    x, y, paint, vector,
    nodes: [axes(x, y, { xLabel: "trials ended", yLabel: model.metric }), path && s("path", { class: "step", d: path }), top],
    marks: () => [...seen].sort((a, b) => a.place - b.place).map((trial) => ({ x: x(trial.place), y: clip(y(trial.score)), text: () => trialText(trial, model.metric), href: trial.href })),
  };
}

/** Score against one parameter, log where its range is. */
export function against(model, name, width, height) {
  const shown = model.trials.filter((trial) => isScored(trial) && trial.params[name] !== null && trial.params[name] !== undefined);
  if (!shown.length) return nothing(width, height, "No trial has a score yet");
  const x = ofSpec(model.space[name], [50, width - 12], shown.map((one) => one.params[name]));
  const y = linear(sight(shown.map((one) => one.score), model.isUpward), [height - 34, 14]);
  const clip = (value) => Math.min(Math.max(value, 10), y.range[0]);
  // Beside each other where many share one place; always the same way.
  const shift = (trial) => (x.isDiscrete ? (((trial.number * 37) % 17) / 17 - 0.5) * 0.5 * ((x.range[1] - x.range[0]) / x.domain.length) : 0);
  const places = shown.map((trial) => ({ trial, x: x(trial.params[name]) + shift(trial), y: clip(y(trial.score)) }));
  const { top, paint, vector } = cloud(places, (trial) => trial.trialId === model.bestId, model.isOut ?? undefined);
  return {
    x, y, paint, vector,
    nodes: [axes(x, y), top],
    marks: () => places.map((one) => ({ x: one.x, y: one.y, href: one.trial.href, text: () => trialText(one.trial, model.metric) })).sort((a, b) => a.x - b.x),
  };
}

/** One objective against another; the front is what none beats. */
export function front(model, [first, second], width, height) {
  const shown = model.trials.filter((trial) => SCORED.has(trial.state) && typeof trial.scores[first] === "number" && typeof trial.scores[second] === "number");
  if (!shown.length) return nothing(width, height, "No trial has scores yet");
  const x = linear(extent(shown.map((one) => one.scores[first])), [56, width - 14]);
  const y = linear(extent(shown.map((one) => one.scores[second])), [height - 40, 26]);
  const { top, paint, vector } = cloud(shown.map((trial) => ({ trial, x: x(trial.scores[first]), y: y(trial.scores[second]) })), (trial) => model.front.has(trial.trialId));
  return {
    x, y, paint, vector,
    nodes: [axes(x, y, { xLabel: first, yLabel: second }), top],
    marks: () => shown.map((trial) => ({ x: x(trial.scores[first]), y: y(trial.scores[second]), href: trial.href, text: [`Trial ${trial.number}`, `${first} ${num(trial.scores[first])}`, `${second} ${num(trial.scores[second])}`] })).sort((a, b) => a.x - b.x),
  };
}

/** Each parameter's share of what is explained. */
export function importance(shares, width, height) {
  const entries = Object.entries(shares).sort((a, b) => b[1] - a[1]).slice(0, Math.floor((height - 20) / 20));
  if (!entries.length) return nothing(width, height, "Too few trials to tell");
  const left = Math.min(150, width * 0.4), most = Math.max(...entries.map(([, share]) => share));
  const pitch = Math.min(40, (height - 20) / entries.length);
  const rows = entries.map(([name, share], index) => {
    const y = 16 + index * pitch, length = Math.max(2, (share / most) * (width - left - 60));
    return { name, share, y, length };
  });
  return {
    nodes: rows.map(({ name, share, y, length }) => s("g", { class: "bar-row" },
      s("text", { class: "label", x: left - 10, y: y + 12, "text-anchor": "end" }, cut(name, Math.floor(left / 7.2))),
      s("rect", { class: "bar-fill", x: left, y, width: length, height: 16, rx: 3 }),
      s("text", { x: left + length + 8, y: y + 12 }, `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`))),
    marks: () => rows.map(({ name, share, y, length }) => ({ x: left + length, y: y + 8, text: [name, `${(share * 100).toFixed(1)} % of what single parameters explain`] })),
  };
}
