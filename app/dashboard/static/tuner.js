// A tuner: which trial is best, why, and is it still getting better.

import { away, call, curl, follow, get, query, refresher, tellEdit } from "./api.js";
import { badge, command, copier, count, fill, h, hide, identity, notice, num, speaker, when } from "./dom.js";
import { figure } from "./figure.js";
import { legend, styleOf } from "./lines.js";
import { filtersIn, goalsOf, isOutOf, keepFilter, parallel } from "./parallel.js";
import { cut } from "./scale.js";
import {
  against,
  bestSoFar,
  byShare,
  front,
  frontOf,
  importance,
  isBest,
  isScored,
  learningCurves,
  modelOf,
  sentence,
  trialRows,
  trialsOf,
} from "./scores.js";
import { table } from "./table.js";

export async function view(place, { id, crumbs, isHere, address }) {
  const path = `/v1/tuners/${id}`;
  const curves = learningCurves(address);
  const known = knowledge({ path, address, curves, onOlder, onShares: () => isGone || show() });
  const first = await known.begin();
  const head = tunerHead({ id, path, known, crumbs, isHere });
  const charts = tunerCharts({
    known,
    curves,
    address,
    metric: first.metric,
    onMetric: () => all.now(),
    onFilter: () => list.show(),
    onDue: () => isGone || show(),
  });
  const list = trialList({ id, known, important: charts.important, address });
  const chartsHead = h("h2", { class: "hidden" }, "Charts");
  const body = h("div", null, skipTo(list), chartsHead, charts.element, list.element);
  let unfollow = null;
  let isGone = false;

  function show() {
    head.show();
    body.hidden = !known.model.nTrials;
    charts.show();
    list.show();
  }

  // ------------------------------------------------------------------------------------------------------------ live

  function onOlder(isFirst) {
    if (isGone) return;
    if (isFirst) charts.hurry(); // what is drawn so far lacks the middling ones
    all.soon(250);
  }

  function hear(event) {
    known.hear(event);
    if (event.type !== "epoch_end") all.soon(250);
  }

  /** What only the service knows. */
  const all = refresher(async () => {
    try {
      const seen = await known.look();
      if (isGone) return;
      known.take(seen);
      await known.readRest();
      if (isGone) return;
      show();
      known.readOlder();
    } catch (error) {
      if (isGone) return;
      error.status === 404 ? end() : all.soon(2000);
    }
  });

  /** From where the service is now, whatever was heard before. */
  async function restart() {
    unfollow?.();
    const seen = await known.look().catch((error) => error);
    if (isGone) return;
    if (seen instanceof Error) return seen.status === 404 ? end() : setTimeout(restart, 3000);
    known.forget();
    known.take(seen);
    await Promise.all([known.readFront(), known.readShares()]).catch(() => all.soon(2000));
    if (isGone) return;
    show();
    head.forgive();
    unfollow = followFrom(seen);
    known.readOlder();
  }

  const followFrom = (seen) => follow({ tuner_id: id }, seen.last_event_id, hear, restart, head.forgive);

  /** Nothing of a tuner stays when it is deleted. */
  function end() {
    leave();
    crumbs({ text: "Deleted tuner" });
    place.replaceChildren(
      notice(
        "This tuner was deleted",
        h("p", { role: "status" }, `${nameOf(known.model.tuner)} is gone, with its trials.`),
        h("a", { href: "#/" }, "To the tuners"),
      ),
    );
  }

  function leave() {
    isGone = true;
    all.stop();
    known.stop();
    charts.stop();
    unfollow();
  }

  place.append(...head.elements, body);
  show();
  unfollow = followFrom(first);
  known.readOlder();
  return leave;
}

/** Past the charts, which hold many things that the keyboard stops at. */
const skipTo = (list) =>
  h(
    "a",
    {
      class: "skip",
      href: "#trials",
      onclick: (event) => {
        event.preventDefault();
        list.focus();
      },
    },
    "Skip the charts",
  );

// ------------------------------------------------------------------------------------------------------- what is known

const MOST_TRIALS = 10_000;
const MOST_RECENT = 20_000;
const OLDER_AGAIN_MS = 5000;
const SHARES_AGAIN_MS = 3000;
const UNDER_WAY = new Set(["queued", "running", "stale"]);

/**
 * What is known of the tuner at a path. `curves` are told what they need; `onOlder(isFirst)` hears when the trials that
 * were left out are here, for the first time or again; `onShares()`, when shares that were left for later are. Answers:
 * - model: the trials, and all that goes with them (see trials.js)
 * - shares, byMetric: what each parameter explains, over all objectives and of each
 * - isOlderRead: whether the trials that were left out are here
 * - begin(): read it for the first time; answers what `look` does
 * - look(): how it stands by now, to `take` it
 * - take(seen): make the model of that
 * - readRest(), readFront(), readShares(), readOlder(): what such an answer does not have
 * - hear(event): what happened since
 * - forget(): what was heard, and what was left out; it may be of a store that was set back since
 * - stop(): leave nothing for later
 */
function knowledge({ path, address, curves, onOlder, onShares }) {
  const recent = [];
  let older = [];
  let lastOlder = 0;
  let lastShares = 0;
  let sharing = null;

  /** How it stands, with the curves of the metric that was chosen. */
  async function look() {
    const metric = address.search.get("curves");
    return { metric, ...(await get(`${path}/overview${query({ metric })}`)) };
  }

  function take(seen) {
    const { front = new Set(), isOut = null } = known.model ?? {}; // until they are known anew
    known.model = { ...modelOf(seen, older), front, isOut };
    curves.take(seen, known.model, seen.metric ?? known.model.metric);
    for (const event of recent.splice(0).filter((one) => one.event_id > seen.last_event_id)) {
      curves.hear(event);
      recent.push(event);
    }
  }

  async function begin() {
    const [first] = await Promise.all([look(), readShares()]);
    take(first);
    await readFront();
    return first;
  }

  async function readShares() {
    lastShares = Date.now();
    const told = await get(`${path}/importance`).catch(() => null);
    if (told) [known.shares, known.byMetric] = [told.importance, told.by_metric];
  }

  /** Told by the trials as long as all are here, else by the service. */
  async function readFront() {
    const { model } = known;
    if (!model.isMany) return;
    const isAll = model.trials.length >= model.nTrials;
    model.front = isAll
      ? frontOf(model.trials, model.tuner.objectives)
      : new Set((await get(`${path}/pareto`)).items.map((trial) => trial.trial_id));
  }

  /** The front, and the shares; where those were read just now, a little later. */
  async function readRest() {
    await readFront();
    const restMs = lastShares + SHARES_AGAIN_MS - Date.now();
    if (restMs > 0) sharing ??= setTimeout(readSharesLate, restMs);
    else await readShares();
  }

  async function readSharesLate() {
    await readShares();
    sharing = null;
    onShares();
  }

  const stop = () => clearTimeout(sharing);

  /** The trials that the overview left out: once, and again where one of them has moved on meanwhile. */
  async function readOlder() {
    const { model } = known;
    const left = new Set(older);
    const fresh = new Set(model.trials.filter((trial) => !left.has(trial)).map((trial) => trial.trialId));
    const isMissing = model.nTrials > model.trials.length && !known.isOlderRead;
    const hasMovedOn = (trial) => UNDER_WAY.has(trial.state) && !fresh.has(trial.trialId);
    if (!isMissing && !older.some(hasMovedOn)) return;
    if (Date.now() - lastOlder < OLDER_AGAIN_MS) return;
    lastOlder = Date.now();
    const seen = await get(`${path}/overview?max_trials=${MOST_TRIALS}&max_curves=0`).catch(() => null);
    if (!seen) return;
    const isFirst = !known.isOlderRead;
    [older, known.isOlderRead] = [trialsOf(seen), true];
    onOlder(isFirst);
  }

  function hear(event) {
    recent.push(event);
    if (recent.length > MOST_RECENT) recent.splice(0, MOST_RECENT / 2);
    curves.hear(event);
  }

  function forget() {
    recent.length = 0;
    [older, known.isOlderRead, lastOlder] = [[], false, 0];
  }

  const known = {
    model: null,
    shares: {},
    byMetric: {},
    isOlderRead: false,
    begin,
    look,
    take,
    readRest,
    readFront,
    readShares,
    readOlder,
    hear,
    forget,
    stop,
  };
  return known;
}

// ---------------------------------------------------------------------------------------------------------------- head

const BEST_PARAMS = 8;
const ENDED = {
  max_trials: "trial budget used up",
  max_failures: "too many failures",
  target: "target reached",
  wallclock: "time is up",
  exhausted: "whole space tried",
};
const FINAL =
  "Stop this tuner for good? Its runs are told to stop, and it cannot be resumed. To go on later, pause it instead.";

const nameOf = (tuner) => tuner.name || `tuner ${tuner.tuner_id.slice(-8)}`;

/**
 * The head of the page of the tuner with an id, at a path of the service; `known`: what is known of it. Answers:
 * - elements: from top to bottom
 * - show(): as it is known by now
 * - forgive(): the service answers again
 */
function tunerHead({ id, path, known, crumbs, isHere }) {
  const headline = h("h1", { class: "headline", id: "headline" });
  const news = speaker();
  const words = h("span", { class: "words" });
  const actions = h("span", { class: "actions" });
  const bestParams = h("dl", { class: "chips", "aria-label": "Parameters of the best trial" });
  const facts = h("dl", { class: "facts" });
  const start = h("div");
  const idFact = identity(id);
  const refusal = h("p", { class: "failure", role: "alert" });
  const title = h(
    "div",
    { class: "title-line" },
    words,
    h("button", { type: "button", class: "quiet", "aria-haspopup": "dialog", onclick: edit }, "Edit"),
    actions,
  );

  /** What is refused because nobody answers is told until somebody does. */
  const forgive = () => {
    refusal.textContent = "";
  };
  const refuse = (error) => {
    refusal.textContent = error.message;
  };

  function edit() {
    return import("./edit.js")
      .catch(away)
      .then((one) => one.edit(path, "tuner", isHere))
      .then(forgive, refuse);
  }

  function steer(verb) {
    if (verb === "stop" && !confirm(FINAL)) return;
    call("POST", `${path}/${verb}`).then(forgive, refuse).then(tellEdit);
  }

  /** The second click of two is not for what the first one has put there. */
  const steering = (word, verb) =>
    h("button", { type: "button", onclick: ({ detail }) => detail < 2 && steer(verb) }, word);

  function show() {
    const { model, shares } = known;
    const { tuner } = model;
    const name = nameOf(tuner);
    fill(headline, document.createTextNode(sentence(model, shares))); // what somebody has selected stays so
    news.say(headline.textContent);
    crumbs({ text: name });
    fill(
      words,
      h("span", { class: "name", dir: "auto" }, name),
      badge(tuner.state, ENDED[tuner.stop_reason]),
      ...tuner.tags.map((tag) => h("span", { class: "tag" }, tag)),
    );
    fill(
      actions,
      ...[
        tuner.state === "active" && steering("Pause", "pause"),
        tuner.state === "paused" && steering("Resume", "resume"),
        ["active", "paused"].includes(tuner.state) && steering("Stop", "stop"),
      ].filter(Boolean),
    );
    fill(bestParams, ...chips(model, shares));
    fill(facts, ...factsOf(model), idFact);
    fill(start, ...(model.nTrials ? [] : [firstStep(path)]));
  }

  return { elements: [title, refusal, headline, bestParams, facts, start, news.element], show, forgive };
}

/** What the best trial was given, the most important first. */
function chips({ tuner: { best }, trials }, shares) {
  if (!best) return [];
  const names = byShare(Object.keys(best.params), shares);
  const left = names.length - BEST_PARAMS;
  const { href } = trials.find((trial) => trial.trialId === best.trial_id) ?? {};
  const param = (name) => h("div", null, h("dt", null, name), h("dd", null, num(best.params[name], 3)));
  const tool = (purpose, element) =>
    h("div", { class: "open" }, h("dt", { class: "hidden" }, purpose), h("dd", null, element));
  return [
    ...names.slice(0, BEST_PARAMS).map(param),
    left > 0 && h("div", null, h("dt", null, `and ${left} more`)),
    href && tool("Details", h("a", { href }, `Open trial ${best.number}`)),
    tool("For use elsewhere", copier(JSON.stringify(best.params), "Copy as JSON")),
  ].filter(Boolean);
}

const fact = (word, value) => h("div", null, h("dt", null, word), h("dd", null, value));

/** How the search stands. */
function factsOf(model) {
  const { tuner } = model;
  const { counts } = tuner;
  const stopper = [tuner.stopper]
    .flat()
    .map((one) => one.type)
    .filter((one) => one !== "none")
    .join(", ");
  return [
    fact("Progress", progress(model)),
    fact("Running", num(counts.running)),
    counts.queued > 0 && fact("Queued", num(counts.queued)),
    counts.stale > 0 && fact("Stale", num(counts.stale)),
    (stopper || counts.stopped > 0) && fact("Stopped early", num(counts.stopped)),
    fact("Failed", num(counts.failed)),
    counts.infeasible > 0 && fact("Infeasible", num(counts.infeasible)),
    fact("Strategy", tuner.strategy),
    stopper && fact("Stopper", stopper),
    fact("Changed", when(tuner.update_time)),
  ].filter(Boolean);
}

/** How much of its budget is spent, where it has one. */
function progress({ tuner: { budget, counts }, nProposed, nEnded }) {
  const most = budget.max_trials;
  if (!most) return count(nEnded, "trial");
  const spent = nProposed - counts.queued - counts.running - counts.stale;
  return [
    `${num(spent)} of ${num(most)}`,
    h("progress", { max: most, value: Math.min(most, spent), "aria-label": "Trials ended, out of the budget" }),
  ];
}

const firstStep = (path) =>
  h(
    "section",
    { class: "card empty" },
    h("h2", null, "Waiting for a worker"),
    h("p", null, "Ask what to try:"),
    command(curl(`${path}/suggest`, '{"worker": "me"}')),
  );

// -------------------------------------------------------------------------------------------------------------- charts

const ENOUGH = 20;
const SHOWN_PARAMS = 12;
const MOST_PLANES = 24;
const MOST_PAIRS = 6;
const MOST_REST_MS = 6000;
const LOOK_AGAIN_MS = 1000;

const scored = ({ model }) => model.trials.filter(isScored);

/**
 * The charts.
 * @param known what is known of the tuner, by now
 * @param curves its learning curves
 * @param address where filters and zooms are remembered
 * @param metric of the curves at first, null for the first objective
 * @param onMetric() other curves were chosen
 * @param onFilter() other filters were drawn
 * @param onDue() there is time to draw what was put off
 * @returns {element, important (the parameters with an axis), show, hurry, stop}
 */
function tunerCharts({ known, curves, address, metric, onMetric, onFilter, onDue }) {
  const { model } = known;
  const params = byShare(Object.keys(model.space), known.shares); // in this order for as long as the page stands
  const important = new Set(params.slice(0, SHOWN_PARAMS));
  const brushes = filtersIn(address, [...Object.keys(model.space), ...goalsOf(model)]);
  const clear = h("button", { type: "button", class: "quiet", hidden: true, onclick: clearAll }, "Clear filters");
  if (model.isMany) curves.element.querySelector(".key").before(metricChoice(model, metric, address, onMetric));
  const shares = shareChart(known);
  const strands = strandChart(known, important, brushes, brush);
  strands.element.querySelector(".chart-tools").prepend(clear);
  const planes = params.slice(0, MOST_PLANES).map((name) => plane(known, name));
  const charts = [...bestCharts(known, address), curves, shares, strands, ...planes];
  let drawn = "";
  let drawnAt = 0;
  let redrawing = null;

  function brush(axis, filter) {
    filter ? brushes.set(axis, filter) : brushes.delete(axis);
    keepFilter(address, axis, filter);
    applyFilters();
    onFilter();
    for (const one of [strands, ...planes]) one.redraw();
  }

  function clearAll() {
    for (const axis of [...brushes.keys()]) brush(axis, null);
  }

  function applyFilters() {
    hide(clear, !brushes.size, strands.element.querySelector(".plot"));
    known.model.isOut = brushes.size ? (trial) => !isScored(trial) || isOutOf(brushes, trial) : null;
  }

  function show() {
    const { model } = known;
    const isAnyScored = model.trials.some(isScored);
    for (const one of [strands, ...planes]) one.element.hidden = !isAnyScored;
    curves.colour();
    const mark = [model.nEnded, model.trials.length, model.bestId, [...model.front]].join();
    const isNew = mark !== drawn;
    // Of many trials a picture takes its time: a second for each thousand lies between two.
    const isDue = Date.now() - drawnAt > Math.min(model.trials.length, MOST_REST_MS);
    if (isNew && !isDue) showLater();
    for (const one of isNew && isDue ? charts : [curves, shares]) one.redraw();
    if (isNew && isDue) [drawn, drawnAt] = [mark, Date.now()];
    applyFilters();
  }

  function showLater() {
    redrawing ??= setTimeout(() => {
      redrawing = null;
      onDue();
    }, LOOK_AGAIN_MS);
  }

  /** What is drawn so far misleads: let it not wait. */
  function hurry() {
    drawnAt = 0;
  }

  const stop = () => clearTimeout(redrawing);
  const element = h(
    "div",
    { class: "charts" },
    charts.map((one) => one.element),
    params.length > MOST_PLANES && h("p", { class: "note wide" }, noteOnPlanes(params.length)),
  );
  return { element, important, show, hurry, stop };
}

const noteOnPlanes = (nParams) =>
  `Score against ${MOST_PLANES} of ${nParams} parameters, the most important first; the table of trials has them all.`;

/** Whose learning curves are shown, of several objectives. */
function metricChoice(model, chosen, address, onMetric) {
  const metrics = new Set([...model.metrics, chosen ?? model.metric]);
  const choose = ({ target }) => {
    address.keep("curves", target.value);
    onMetric();
  };
  return h(
    "select",
    { "aria-label": "Learning curves of", onchange: choose },
    [...metrics].map((metric) => h("option", { selected: metric === chosen }, metric)),
  );
}

/** The best so far; of several objectives each two against each other. */
function bestCharts(known, address) {
  const { metrics, isMany } = known.model;
  if (!isMany) return [bestChart(known, address)];
  const pairs = metrics.flatMap((one, index) => metrics.slice(index + 1).map((other) => [one, other]));
  const isOnly = pairs.length === 1;
  return pairs.slice(0, MOST_PAIRS).map((pair, index) =>
    figure({
      title: isOnly ? "Objectives" : pair.join(", "),
      note: index ? "" : "orange: unbeaten",
      file: `objectives-${pair.join("-")}`,
      height: 280,
      draw: (width, height) => front(known.model, pair, width, height),
      describe: () => sentence(known.model, known.shares),
      rows: () => trialRows(known.model),
    }),
  );
}

function bestChart(known, address) {
  function note() {
    const { nEnded, tuner } = known.model;
    const isAnyStopped = scored(known).some((one) => one.state === "stopped");
    const isAnyLost = nEnded > 0 && tuner.counts.failed + tuner.counts.infeasible > 0;
    return [isAnyStopped && "○ stopped early", isAnyLost && "× failed"].filter(Boolean).join(", ");
  }
  return figure({
    title: "Best so far",
    note,
    file: "best-so-far",
    canZoom: true,
    height: 280,
    address,
    draw: (width, height, zoom) => bestSoFar(known.model, width, height, zoom),
    describe: () => sentence(known.model, known.shares),
    rows: () => ({
      columns: ["trials ended", "trial", known.model.metric],
      rows: known.model.improvements.map((one) => [one.place, one.number, one.score]),
    }),
  });
}

function shareChart(known) {
  const { isMany, metrics } = known.model;
  function describe() {
    const shares = Object.entries(known.shares).map(([name, share]) => `${name} ${(share * 100).toFixed(0)} %`);
    const what = `Share of the variance of ${metrics.join(" and ")} that each parameter explains alone`;
    return `${what}${isMany ? ", mean over the objectives" : ""}: ${shares.join(", ") || "too few trials to tell"}.`;
  }
  const chart = figure({
    title: "What matters",
    note: isMany ? "%: mean over the objectives" : "",
    file: "importance",
    height: 210,
    draw: (width, height) => importance(known.shares, known.byMetric, width, height, scored(known).length > ENOUGH),
    describe,
    rows: () => shareRows(known),
  });
  if (isMany) chart.element.append(legend(metrics.map((name, index) => ({ name, ...styleOf(index) }))));
  return chart;
}

function shareRows({ model: { isMany }, shares, byMetric }) {
  const ofEach = (name) => (isMany ? Object.values(byMetric).map((of) => of[name] ?? 0) : []);
  return {
    columns: ["parameter", ...(isMany ? [...Object.keys(byMetric), "mean"] : ["share"])],
    rows: Object.entries(shares).map(([name, share]) => [name, ...ofEach(name), share]),
  };
}

function strandChart(known, important, brushes, brush) {
  const { space, metric, metrics, isMany } = known.model;
  const params = Object.keys(space);
  const axes = params.filter((one) => important.has(one));
  const colours = isMany ? ` ${metric}, orange: unbeaten` : "";
  const part = `; ${axes.length} of ${params.length} parameters, the most important`;
  return figure({
    title: "Parameters and score",
    note: `deep colour: better${colours}; drag along an axis to filter${axes.length < params.length ? part : ""}`,
    file: "parallel",
    wide: true,
    role: "group",
    height: 300,
    minWidth: 110 + 84 * (axes.length + metrics.length - 1),
    draw: (width, height) => parallel(known.model, axes, brushes, brush, width, height),
    describe: () => `${count(scored(known).length, "trial")} over ${axes.join(", ")}, coloured by ${metric}.`,
    rows: () => trialRows(known.model),
  });
}

/** The score against one parameter. */
function plane(known, name) {
  const { metric, space } = known.model;
  const spec = space[name];
  return figure({
    title: name,
    note: [spec.log && "log", conditionOf(spec)].filter(Boolean).join("; "),
    file: `score-by-${name}`,
    height: 190,
    draw: (width, height) => against(known.model, name, width, height),
    describe: () => `${metric} against ${name}, ${count(scored(known).length, "trial")}.`,
    rows: () => ({
      columns: [name, metric],
      rows: scored(known).map((one) => [one.params[name], one.score]),
    }),
  });
}

/** Where a parameter exists, in words. */
function conditionOf({ when }) {
  if (!when) return "";
  const conditions = Object.entries(when).map(([parent, values]) => `${parent} ${values.join(" or ")}`);
  return `only with ${conditions.join(" and ")}`;
}

// ------------------------------------------------------------------------------------------------------ list of trials

const MOST_SAID = 60;

/**
 * The list of the trials that are known of the tuner with an id; parameters that are not `important` are columns to be
 * chosen. Answers {element, focus, show}.
 */
function trialList({ id, known, important, address }) {
  const { isMany, isUpward } = known.model;
  const isBestNow = (trial) => isBest(known.model, trial);
  const note = h("span", { class: "note" });
  const list = table({
    caption: "Trials",
    key: (trial) => trial.trialId,
    sorted: isMany ? "Front" : "Score",
    isDescending: isUpward,
    address,
    sign: (trial) => [trial.state, trial.score, trial.runId, trial.worker, trial.endTime, isBestNow(trial)].join(),
    rowClass: (trial) => (isBestNow(trial) ? "best" : ""),
    columns: columnsOf(known, important),
  });
  const element = h(
    "section",
    { class: "card wide" },
    h(
      "div",
      { class: "card-head" },
      h("h2", null, "Trials"),
      note,
      h("a", { class: "aside-link", href: `#/${query({ filter: `tuner_id = "${id}"` })}` }, "Pick some to compare"),
      list.chooser,
    ),
    list.element,
  );

  function show() {
    const { trials, isOut } = known.model;
    const through = isOut ? trials.filter((trial) => !isOut(trial)) : trials;
    note.textContent = noteOn(known, through.length);
    list.update(through);
  }

  return { element, focus: () => list.element.focus(), show };
}

/** How many trials there are, here and in all. */
function noteOn({ model: { trials, nTrials, isOut }, isOlderRead }, nThrough) {
  const here = count(trials.length, "trial");
  const passing = `${num(nThrough)} of ${here} ${nThrough === 1 ? "passes" : "pass"} the filters`;
  const nLeft = nTrials - trials.length;
  const left = isOlderRead ? "older ones are left out here and in the charts" : "others are being read";
  return [isOut ? passing : here, nLeft > 0 && `${num(nLeft)} ${left}`].filter(Boolean).join("; ");
}

const columnsOf = (known, important) => [
  {
    name: "Trial",
    isNumber: true,
    isLead: true,
    isHead: true,
    sort: (trial) => trial.number,
    cell: (trial) => (trial.href ? h("a", { href: trial.href }, num(trial.number)) : num(trial.number)),
  },
  ...(known.model.isMany ? [frontColumn(known), ...known.model.metrics.map(scoreColumnOf)] : [scoreColumn]),
  {
    name: "State",
    sort: (trial) => trial.state,
    cell: (trial) => [badge(trial.state), remark(trial)],
  },
  ...Object.entries(known.model.space).map(([name, spec]) => ({
    name,
    id: `params.${name}`,
    isHidden: !important.has(name),
    isNumber: isNumeric(spec),
    sort: (trial) => trial.params[name],
    cell: (trial) => num(trial.params[name], 3),
  })),
  {
    name: "Attempt",
    isNumber: true,
    isHidden: true,
    sort: (trial) => trial.attempt,
    cell: (trial) => num(trial.attempt),
  },
  { name: "Worker", sort: (trial) => trial.worker, cell: (trial) => trial.worker ?? "–" },
  { name: "Ended", sort: (trial) => trial.endTime, cell: (trial) => when(trial.endTime) },
];

const frontColumn = (known) => ({
  name: "Front",
  isNumber: true,
  sort: (trial) => (known.model.front.has(trial.trialId) ? trial.score : null),
  cell: (trial) => (isBest(known.model, trial) ? h("span", { role: "img", "aria-label": "Unbeaten" }, "★") : ""),
});

const scoreColumn = {
  name: "Score",
  isNumber: true,
  isScore: true,
  sort: (trial) => trial.score,
  cell: (trial, scores) => scores(trial.score),
};

/** Of several objectives each has a column. */
const scoreColumnOf = (metric) => ({
  name: metric,
  id: `scores.${metric}`,
  isNumber: true,
  isScore: true,
  sort: (trial) => trial.scores[metric],
  cell: (trial, scores) => scores(trial.scores[metric]),
});

const isNumeric = (spec) =>
  spec.type.endsWith("range") || Boolean(spec.options?.every((one) => typeof one === "number"));

/** What is said of a trial; a long reason can be opened. */
function remark(trial) {
  const text = trial.state === "stale" ? "its worker fell silent; it waits for another" : trial.reason;
  if (!text) return null;
  if (text.length <= MOST_SAID) return h("span", { class: "note" }, ` ${text}`);
  const start = cut(text, MOST_SAID + 1);
  return h("details", { class: "note" }, h("summary", null, start), h("p", { class: "text" }, text));
}
