// A tuner: which trial is best, why, and is it still getting better.

import { call, follow, get } from "./api.js";
import { badge, command, count, h, num, score, when } from "./dom.js";
import { figure } from "./figure.js";
import { COLOURS, legend, lineRows, lines, put } from "./lines.js";
import { parallel, trialRows } from "./parallel.js";
import { against, bestSoFar, front, importance, isScored, shade } from "./scores.js";
import { table } from "./table.js";

const N_COLOURED = 5;
const isNumeric = (spec) => spec.type.endsWith("range") || Boolean(spec.options?.every((one) => typeof one === "number"));
const OPEN = new Set(["running"]);

/** The answer of the service as the charts want it. */
function modelOf(seen) {
  const { tuner, trials: columns } = seen;
  const [objective] = tuner.objectives;
  const isUpward = objective.direction === "maximize", isMany = tuner.objectives.length > 1;
  const trials = columns.number.map((number, index) => ({
    number, trialId: columns.trial_id[index], runId: columns.run_id[index], state: columns.state[index],
    score: isMany ? columns.scores[objective.metric][index] : columns.score[index], place: columns.place[index],
    reason: columns.reason[index], worker: columns.worker[index], attempt: columns.attempt[index], endTime: columns.end_time[index],
    href: columns.run_id[index] && `#/runs/${columns.run_id[index]}`,
    params: Object.fromEntries(Object.entries(columns.params).map(([name, values]) => [name, values[index]])),
    scores: Object.fromEntries(Object.entries(columns.scores).map(([name, values]) => [name, values[index]])),
  }));
  // By rank, not by value: a few very bad ones do not make all others look alike.
  const ranked = trials.filter(isScored).sort((a, b) => (isUpward ? a.score - b.score : b.score - a.score));
  for (const trial of trials) trial.share = null;
  ranked.forEach((trial, index) => { trial.share = ranked.length > 1 ? index / (ranked.length - 1) : 1; });
  for (const trial of trials) trial.shade = shade(trial.share);
  return { tuner, trials, isUpward, isMany, metric: objective.metric, metrics: tuner.objectives.map((one) => one.metric), space: tuner.space,
    improvements: isMany ? [] : seen.improvements, nEnded: seen.n_ended, nTrials: seen.n_trials, nProposed: seen.n_proposed, nRuns: seen.n_runs,
    bestId: tuner.best?.trial_id ?? null, front: new Set(), isOut: null };
}

/** The answer to what people come for, in words. */
export function sentence(model, shares) {
  const { tuner, improvements, metric, nEnded } = model;
  const matters = Object.entries(shares).sort((a, b) => b[1] - a[1])[0]?.[0];
  if (model.isMany) return `${count(model.front.size, "trial")} of ${num(nEnded)} ${model.front.size === 1 ? "is" : "are"} beaten by none in ${model.metrics.join(" and ")}.`;
  if (!tuner.best) {
    const { running } = tuner.counts;
    return running ? `No trial has a score yet; ${count(running, "trial")} ${running === 1 ? "is" : "are"} running.` : "No trial has a score yet.";
  }
  const last = improvements.at(-1), before = improvements.at(-2);
  const since = last ? nEnded - last.place : 0;
  const found = since === 0 ? "found just now" : `found ${count(since, "trial")} ago`;
  const margin = before && last ? `, ${num(Math.abs(last.score - before.score), 2)} ${model.isUpward ? "above" : "below"} the previous best` : "";
  return `Trial ${tuner.best.number} is best: ${metric} ${num(tuner.best.score)}, ${found}${margin}${matters ? `; ${matters} matters most` : ""}.`;
}

export async function view(place, { id, crumbs }) {
  const path = `/v1/tuners/${id}`;
  const [first, told] = await Promise.all([get(`${path}/overview`), get(`${path}/importance`).catch(() => null)]);
  let model = modelOf(first), shares = told?.importance ?? {};
  const curves = new Map(), slots = new Array(N_COLOURED).fill(null);
  const recent = [];
  const brushes = new Map();

  const headline = h("h1", { class: "headline", id: "headline", "aria-live": "polite" });
  const title = h("div", { class: "title-line" });
  const facts = h("dl", { class: "facts" });
  const key = h("div");
  const refusal = h("p", { class: "failure", role: "alert" });

  // ---------------------------------------------------------------------------------------------------------- curves

  function take(seen) {
    model = modelOf(seen);
    curves.clear();
    for (const one of seen.curves) add(one.run_id, one.number, one.status, one.trial_id, one.epochs, one.values);
    for (const event of recent.splice(0).filter((one) => one.event_id > seen.last_event_id)) {
      hearOfRuns(event);
      recent.push(event);
    }
  }

  function add(runId, number, status, trialId, xs = [], ys = []) {
    const name = number === null ? "A run without a trial" : `Trial ${number}`;
    curves.set(runId, { runId, trialId, xs, ys, name, number, colour: null, isStopped: status === "stopped", isOpen: OPEN.has(status), href: `#/runs/${runId}` });
  }

  /** The best few have a colour, and keep it while they are among the best few. */
  function colour() {
    const scoreOf = new Map(model.trials.filter(isScored).map((trial) => [trial.trialId, trial.score]));
    const sign = model.isUpward ? 1 : -1;
    const worth = (curve) => sign * (scoreOf.get(curve.trialId) ?? curve.ys.reduce((best, value) => (typeof value === "number" && sign * value > sign * best ? value : best), -sign * Infinity));
    const best = [...curves.values()].filter((one) => one.ys.length).map((one) => [one, worth(one)]).sort((a, b) => b[1] - a[1]).slice(0, N_COLOURED).map(([one]) => one);
    const ids = new Set(best.map((one) => one.runId));
    slots.forEach((runId, index) => { if (!ids.has(runId)) slots[index] = null; });
    for (const one of best) if (!slots.includes(one.runId)) slots[slots.indexOf(null)] = one.runId;
    for (const one of curves.values()) one.colour = slots.includes(one.runId) ? COLOURS[slots.indexOf(one.runId)] : null;
    key.replaceChildren(legend(best), h("p", { class: "note" }, `${count(curves.size, "curve")}${model.nRuns > curves.size ? ` of ${num(model.nRuns)}` : ""}; grey: the rest; ×: stopped early`));
  }

  // ---------------------------------------------------------------------------------------------------------- charts

  const name = () => model.tuner.name || "tuner";
  const bestChart = figure({
    title: model.isMany ? "Objectives" : "Best so far", file: "best-so-far", canZoom: !model.isMany, height: 280,
    draw: (width, height, zoom) => (model.isMany ? front(model, model.metrics, width, height) : bestSoFar(model, width, height, zoom)),
    describe: () => sentence(model, shares),
    rows: () => ({ columns: ["trials ended", "trial", model.metric], rows: model.isMany ? model.trials.map((one) => [one.place, one.number, one.score]) : model.improvements.map((one) => [one.place, one.number, one.score]) }),
  });
  const curveChart = figure({
    title: "Learning curves", file: "learning-curves", canZoom: true, height: 280,
    draw: (width, height, zoom, before) => lines([...curves.values()], width, height, zoom, before, { yLabel: model.metric }),
    describe: () => `${count(curves.size, "curve")} of ${model.metric} over epochs. Best: ${[...curves.values()].filter((one) => one.colour).map((one) => `${one.name} at ${num(one.ys.at(-1))}`).join(", ")}.`,
    rows: () => lineRows([...curves.values()], model.metric),
  });
  curveChart.element.append(key);
  const shareChart = figure({
    title: "What matters", file: "importance", height: 280,
    draw: (width, height) => importance(shares, width, height),
    describe: () => `Shares of the variance of ${model.metric} that each parameter explains alone: ${Object.entries(shares).map(([one, share]) => `${one} ${(share * 100).toFixed(0)} %`).join(", ") || "too few trials to tell"}.`,
    rows: () => ({ columns: ["parameter", "share"], rows: Object.entries(shares) }),
  });
  const clear = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => { brushes.clear(); filtered(); } }, "Clear filters");
  const strands = figure({
    title: "Parameters and score", note: "deep colour: better; drag along an axis to filter", file: "parallel", wide: true, height: 300, minWidth: 110 + 84 * Object.keys(model.space).length,
    draw: (width, height) => parallel(model, brushes, brush, width, height),
    describe: () => `${count(model.trials.filter(isScored).length, "trial")} over ${Object.keys(model.space).join(", ")}, coloured by ${model.metric}.`,
    rows: () => trialRows(model),
  });
  strands.element.querySelector(".chart-tools").prepend(clear);
  const planes = Object.keys(model.space).slice(0, 24).map((parameter) => figure({
    title: parameter, note: model.space[parameter].log ? "log" : "", file: `score-by-${parameter}`, height: 190,
    draw: (width, height) => against(model, parameter, width, height),
    describe: () => `${model.metric} against ${parameter}, ${count(model.trials.filter(isScored).length, "trial")}.`,
    rows: () => ({ columns: [parameter, model.metric], rows: model.trials.filter(isScored).map((one) => [one.params[parameter], one.score]) }),
  }));

  function brush(axis, range) {
    if (range) brushes.set(axis, range);
    else brushes.delete(axis);
    filtered();
  }

  function filtered() {
    clear.hidden = !brushes.size;
    strands.redraw();
    // Once the strands are drawn it is known which trials are out.
    requestAnimationFrame(() => requestAnimationFrame(() => {
      planes.forEach((one) => one.redraw());
      list.update(model.trials.filter((trial) => !model.isOut || (isScored(trial) && !model.isOut(trial))));
    }));
  }

  const list = table({
    caption: "Trials", isLong: true, key: (trial) => trial.trialId, sorted: "Score", isDescending: model.isUpward,
    sign: (trial) => [trial.state, trial.score, trial.runId, trial.worker, trial.trialId === model.bestId].join(),
    rowClass: (trial) => (trial.trialId === model.bestId ? "best" : ""),
    columns: [
      { name: "Trial", isNumber: true, sort: (trial) => trial.number, cell: (trial) => (trial.href ? h("a", { href: trial.href }, num(trial.number)) : num(trial.number)) },
      { name: "State", sort: (trial) => trial.state, cell: (trial) => [badge(trial.state), trial.reason && h("span", { class: "note", title: trial.reason }, ` ${trial.reason.slice(0, 60)}`)] },
      { name: "Score", isNumber: true, sort: (trial) => trial.score, cell: (trial) => score(trial.score) },
      ...model.metrics.slice(1).map((metric) => ({ name: metric, isNumber: true, sort: (trial) => trial.scores[metric], cell: (trial) => score(trial.scores[metric]) })),
      ...Object.keys(model.space).slice(0, 40).map((parameter) => ({ name: parameter, isNumber: isNumeric(model.space[parameter]), sort: (trial) => trial.params[parameter], cell: (trial) => num(trial.params[parameter], 3) })),
      { name: "Worker", sort: (trial) => trial.worker, cell: (trial) => trial.worker ?? "–" },
      { name: "Ended", sort: (trial) => trial.endTime, cell: (trial) => when(trial.endTime) },
    ],
  });
  const listNote = h("span", { class: "note" });

  // ------------------------------------------------------------------------------------------------------------ page

  function show() {
    const { tuner } = model, { counts } = tuner;
    headline.textContent = sentence(model, shares);
    crumbs({ text: name() });
    const steer = (word, verb) => h("button", { type: "button", onclick: () => call("POST", `${path}/${verb}`).then(reload, (error) => { refusal.textContent = error.message; }) }, word);
    title.replaceChildren(h("span", { class: "name" }, name()), badge(tuner.state), ...tuner.tags.map((tag) => h("span", { class: "tag" }, tag)), actions(tuner, steer));
    const most = tuner.budget.max_trials;
    facts.replaceChildren(
      fact("Best", score(tuner.best?.score ?? null)),
      fact("Progress", [most ? `${num(model.nProposed - counts.queued - counts.running)} of ${num(most)}` : count(model.nEnded, "trial"), most && h("progress", { max: most, value: Math.min(most, model.nEnded), "aria-label": "Trials ended of the budget" })]),
      fact("Running", num(counts.running)), fact("Stopped early", num(counts.stopped)), fact("Failed", num(counts.failed + counts.infeasible)),
      fact("Strategy", tuner.strategy), fact("Stopper", [tuner.stopper].flat().map((one) => one.type).join(", ")),
      fact("Changed", when(tuner.update_time)));
    colour();
    [bestChart, curveChart, shareChart, strands, ...planes].forEach((one) => one.redraw());
    listNote.textContent = model.nTrials > model.trials.length ? `${num(model.trials.length)} of ${num(model.nTrials)}: those under way, the best, the newest` : count(model.nTrials, "trial");
    list.update(model.trials.filter((trial) => !model.isOut || (isScored(trial) && !model.isOut(trial))));
  }

  const actions = (tuner, steer) => h("span", { class: "actions" }, tuner.state === "active" && steer("Pause", "pause"), tuner.state === "paused" && steer("Resume", "resume"), ["active", "paused"].includes(tuner.state) && steer("Stop", "stop"));
  const fact = (word, value) => h("div", null, h("dt", null, word), h("dd", null, value));

  async function readFront() {
    if (model.isMany) model.front = new Set((await get(`${path}/pareto`)).items.map((trial) => trial.trial_id));
  }

  // ------------------------------------------------------------------------------------------------------------ live

  let timer = null, isReading = false, lastShares = 0, unfollow = null, isGone = false;

  function hearOfRuns(event) {
    const curve = curves.get(event.run_id);
    if (event.type === "run_start" && !curve) {
      const number = model.trials.find((trial) => trial.trialId === event.trial_id)?.number ?? null;
      add(event.run_id, number, "running", event.trial_id);
    } else if (event.type === "epoch_end" && curve && model.metric in event.metrics) put(curve, event.epoch, event.metrics[model.metric]);
    else if (event.type === "training_end" && curve) Object.assign(curve, { isOpen: false, isStopped: event.status === "stopped" });
    else if (event.type === "run_crash" && curve) curve.isOpen = false;
    else if (event.type === "run_delete") curves.delete(event.run_id);
  }

  function hear(event) {
    recent.push(event);
    if (recent.length > 20000) recent.shift();
    hearOfRuns(event);
    if (event.type !== "epoch_end") later();
    else if (slots.includes(null)) colour();
    curveChart.redraw();
  }

  /** Read again what only the service knows, soon, and not too often. */
  function later() {
    timer ??= setTimeout(reload, isReading ? 1000 : 250);
  }

  async function reload() {
    clearTimeout(timer);
    timer = null;
    if (isReading) return later();
    isReading = true;
    try {
      const seen = await get(`${path}/overview`);
      if (isGone) return;
      take(seen);
      await readFront();
      if (Date.now() - lastShares > 3000) {
        lastShares = Date.now();
        shares = (await get(`${path}/importance`).catch(() => null))?.importance ?? shares;
      }
      show();
    } catch (error) {
      if (error.status === 404) headline.textContent = "This tuner was deleted.";
      else if (!isGone) setTimeout(later, 2000);
    } finally {
      isReading = false;
    }
  }

  async function restart() {
    unfollow?.();
    const seen = await get(`${path}/overview`).catch(() => null);
    if (isGone) return;
    if (!seen) return setTimeout(restart, 3000);
    recent.length = 0;
    take(seen);
    show();
    unfollow = follow({ tuner_id: id }, seen.last_event_id, hear, restart);
  }

  take(first);
  await readFront();
  place.append(title, refusal, headline, facts);
  if (model.nTrials === 0) place.append(h("section", { class: "empty" }, h("h2", null, "It waits for a worker"), h("p", null, "Ask it what to try:"),
    command(`curl ${location.origin}${path}/suggest -H 'Content-Type: application/json' -d '{"worker": "me"}'`)));
  place.append(h("div", { class: "charts" }, bestChart.element, curveChart.element, shareChart.element, strands.element, planes.map((one) => one.element)),
    h("section", { class: "card wide" }, h("h2", null, "Trials ", listNote), list.element));
  show();
  requestAnimationFrame(show);
  unfollow = follow({ tuner_id: id }, first.last_event_id, hear, restart);
  return () => {
    isGone = true;
    clearTimeout(timer);
    unfollow();
  };
}
