// What the page of a run says beside its curves, out of its overview: pieces to `fill` places with.

import { curl } from "./api.js";
import { badge, command, copier, duration, exact, h, num, told, when } from "./dom.js";

const SHOWN_METRICS = 4;

const TOLD = {
  run_start: () => "started",
  training_end: (event) => `ended as ${event.status} after ${duration(event.duration_s)}`,
  run_crash: (event) => `fell silent, or lost its trial, at epoch ${num(event.last_epoch)}`,
  run_resume: () => "was heard from again",
  run_delete: () => "was deleted",
};

export const isOpen = (run) => run.status === "running";

export const nameOf = ({ run, trial }) => (trial ? `Trial ${trial.number}` : run.name || `run ${run.run_id.slice(-8)}`);

export const titleOf = ({ run, trial }) =>
  [
    h("h1", { class: "name", dir: "auto" }, nameOf({ run, trial })),
    trial && run.name && h("span", { class: "name", dir: "auto" }, run.name),
    badge(run.status),
    ...run.tags.map((tag) => h("span", { class: "tag" }, tag)),
  ].filter(Boolean);

/** The facts of a run; `id` is the one that stays. */
export function factsOf(seen, id) {
  const { run, trial } = seen;
  const fact = (word, value) => h("div", null, h("dt", null, word), h("dd", null, value));
  const heard = isOpen(run) && run.last_epoch_time && h("div", { class: "note" }, when(run.last_epoch_time));
  return [
    ...shownMetrics(seen).map((metric) =>
      fact(metric, [num(run.metrics[metric]), extremes(metric, seen).map((line) => h("div", { class: "note" }, line))]),
    ),
    fact("Epoch", [num(run.last_epoch), heard]),
    fact("Started", [when(run.start_time), h("div", { class: "note" }, exact(run.start_time))]),
    fact("Took", isOpen(run) ? "running" : duration(run.duration_s)),
    trial && run.status === "crashed" && fact("Its trial", badge(trial.state)),
    id,
  ].filter(Boolean);
}

/** The metrics among the facts: what the tuner is after, what the run ended with, then any. */
function shownMetrics({ objective, run }) {
  const names = [objective?.metric, ...Object.keys(run.final_metrics ?? {}), ...Object.keys(run.metrics)];
  const known = names.filter((metric) => Object.hasOwn(run.metrics, metric ?? ""));
  return [...new Set(known)].slice(0, SHOWN_METRICS);
}

/** The best value of the objective; of a metric of which nobody said what is good, the lowest and the highest. */
function extremes(metric, { objective, run }) {
  const one = run.summary[metric];
  if (typeof one?.max !== "number") return [];
  const lowest = `lowest ${num(one.min)} at ${num(one.epoch_of_min)}`;
  const highest = `highest ${num(one.max)} at ${num(one.epoch_of_max)}`;
  if (metric !== objective?.metric) return one.min === one.max ? [] : [lowest, highest];
  return [objective.direction === "minimize" ? lowest : highest];
}

/** What stands for the curves while there are none; `path`: that of the run in the API. */
export function noEpochs(run, path) {
  const request = curl(`${path}/epochs`, '{"epoch": 0, "metrics": {"loss": 0.5}}');
  return h(
    "section",
    { class: "empty" },
    isOpen(run)
      ? [h("h2", null, "No epochs yet"), h("p", null, "Log one:"), command(request)]
      : h("p", null, "It ended without an epoch."),
  );
}

const card = (title, content) => h("section", { class: "card" }, h("h2", null, title), content);

const pairs = (values, write) =>
  h(
    "dl",
    { class: "pairs" },
    Object.entries(values).map(([key, value]) => [h("dt", null, key), h("dd", null, write(value))]),
  );

const precise = (value) => num(value, 6);

/** What stands beside the curves. */
export const cardsOf = ({ run, trial, events }) =>
  [
    params(run.params),
    Object.keys(run.final_metrics ?? {}).length > 0 && card("Final metrics", pairs(run.final_metrics, precise)),
    run.stop && card("Told to stop", h("p", null, `${run.stop.rule}: ${run.stop.reason}`)),
    run.note && card("Note", h("p", { class: "text", dir: "auto" }, run.note)),
    trial && card("How it was chosen", pairs(trial.why, told)),
    card("Events", h("ol", { class: "events" }, events.map(eventLine))),
  ].filter(Boolean);

function params(values) {
  const isAny = Object.keys(values).length > 0;
  return h(
    "section",
    { class: "card" },
    h(
      "div",
      { class: "card-head" },
      h("h2", null, "Parameters"),
      isAny && copier(JSON.stringify(values), "Copy as JSON"),
    ),
    isAny ? pairs(values, precise) : h("p", { class: "note" }, "None."),
  );
}

const eventLine = (event) => h("li", null, when(event.timestamp), " ", TOLD[event.type]?.(event) ?? event.type);
