// A tuner: which trial is best, why, and is it still getting better.

import { Away, call, follow, get, here, query, refresher, tellEdit } from "./api.js";
import { badge, command, copier, count, fill, h, hide, identity, num, speaker, when } from "./dom.js";
import { figure } from "./figure.js";
import { legend, styleOf } from "./lines.js";
import { goalsOf, isOutOf, parallel, trialRows } from "./parallel.js";
import { cut } from "./scale.js";
import {
  against,
  bestSoFar,
  front,
  frontOf,
  importance,
  isBest,
  isScored,
  learningCurves,
  modelOf,
  sentence,
  trialsOf,
} from "./scores.js";
import { table } from "./table.js";

const ENOUGH = 20;
const MOST_TRIALS = 10_000;
const SHOWN_PARAMS = 12;
const BEST_PARAMS = 8;
const MOST_PLANES = 24;
const MOST_SAID = 60;
const ENDED = {
  max_trials: "trial budget used up",
  max_failures: "too many failures",
  target: "target reached",
  wallclock: "time is up",
  exhausted: "whole space tried",
};
const isNumeric = (spec) =>
  spec.type.endsWith("range") || Boolean(spec.options?.every((one) => typeof one === "number"));
const FINAL =
  "Stop this tuner for good? Its runs are told to stop, and it cannot be resumed. To go on later, pause it instead.";
const noteOf = (trial) => (trial.state === "stale" ? "its worker fell silent; it waits for another" : trial.reason);
/** What is said of a trial; a long reason can be opened. */
const remark = (text) =>
  text.length <= MOST_SAID
    ? h("span", { class: "note" }, ` ${text}`)
    : h("details", { class: "note" }, h("summary", null, cut(text, MOST_SAID + 1)), h("p", { class: "text" }, text));
const nameOf = (tuner) => tuner.name || `tuner ${tuner.tuner_id.slice(-8)}`;
/** Where a parameter exists, in words. */
const conditionOf = ({ when }) =>
  when &&
  `only with ${Object.entries(when)
    .map(([parent, values]) => `${parent} ${values.join(" or ")}`)
    .join(" and ")}`;
const UNDER_WAY = new Set(["queued", "running", "stale"]);

export async function view(place, { id, crumbs, address }) {
  const path = `/v1/tuners/${id}`;
  const readShares = () =>
    get(`${path}/importance`).then(
      (told) => {
        [shares, byMetric] = [told.importance, told.by_metric];
      },
      () => null,
    );
  /** How it stands, with the curves of the metric that was chosen. */
  const look = async (metric = address.search.get("curves")) => ({
    metric,
    ...(await get(`${path}/overview${query({ metric })}`)),
  });
  let older = [];
  let shares = {};
  let byMetric = {};
  let drawn = "";
  let drawnAt = 0;
  let redrawing = null;
  let model;
  const recent = [];
  const curves = learningCurves(address);
  const [first] = await Promise.all([look(), readShares()]);

  const headline = h("h1", { class: "headline", id: "headline" });
  const news = speaker();
  const title = h("div", { class: "title-line" });
  const words = h("span", { class: "words" });
  const actions = h("span", { class: "actions" });
  const bestParams = h("dl", { class: "chips", "aria-label": "Parameters of the best trial" });
  const facts = h("dl", { class: "facts" });
  const start = h("div");
  const idFact = identity(id);
  const refusal = h("p", { class: "failure", role: "alert" });

  function take(seen) {
    const kept = model?.front;
    model = Object.assign(modelOf(seen, older), kept && { front: kept });
    curves.take(seen, model, seen.metric ?? model.metric);
    for (const event of recent.splice(0).filter((one) => one.event_id > seen.last_event_id)) {
      curves.hear(event);
      recent.push(event);
    }
  }

  // ---------------------------------------------------------------------------------------------------------- charts

  take(first);
  const params = Object.keys(model.space);
  const scored = () => model.trials.filter(isScored);
  const pairs = model.metrics
    .flatMap((one, index) => model.metrics.slice(index + 1).map((other) => [one, other]))
    .slice(0, 6);
  const bestCharts = model.isMany
    ? pairs.map((pair, index) =>
        figure({
          title: pairs.length > 1 ? pair.join(", ") : "Objectives",
          note: index ? "" : "orange: unbeaten",
          file: `objectives-${pair.join("-")}`,
          height: 280,
          draw: (width, height) => front(model, pair, width, height),
          describe: () => sentence(model, shares),
          rows: () => trialRows(model),
        }),
      )
    : [
        figure({
          title: "Best so far",
          note: () =>
            [
              scored().some((one) => one.state === "stopped") && "○ stopped early",
              model.nEnded > 0 && tellsLoss() && "× failed",
            ]
              .filter(Boolean)
              .join(", "),
          file: "best-so-far",
          canZoom: true,
          height: 280,
          address,
          draw: (width, height, zoom) => bestSoFar(model, width, height, zoom),
          describe: () => sentence(model, shares),
          rows: () => ({
            columns: ["trials ended", "trial", model.metric],
            rows: model.improvements.map((one) => [one.place, one.number, one.score]),
          }),
        }),
      ];
  const curvesOf = h(
    "select",
    {
      "aria-label": "Learning curves of",
      onchange: () => {
        address.keep("curves", curvesOf.value);
        all.now();
      },
    },
    [...new Set([...model.metrics, first.metric ?? model.metric])].map((metric) =>
      h("option", { selected: metric === first.metric }, metric),
    ),
  );
  if (model.isMany) curves.element.querySelector(".key").before(curvesOf);
  const shareChart = figure({
    title: "What matters",
    note: model.isMany ? "%: mean over the objectives" : "",
    file: "importance",
    height: 210,
    draw: (width, height) => importance(shares, byMetric, width, height, scored().length > ENOUGH),
    describe: () =>
      `Share of the variance of ${model.metrics.join(" and ")} that each parameter explains alone${model.isMany ? ", mean over the objectives" : ""}: ${
        Object.entries(shares)
          .map(([one, share]) => `${one} ${(share * 100).toFixed(0)} %`)
          .join(", ") || "too few trials to tell"
      }.`,
    rows: () => ({
      columns: ["parameter", ...(model.isMany ? [...Object.keys(byMetric), "mean"] : ["share"])],
      rows: Object.entries(shares).map(([name, share]) => [
        name,
        ...(model.isMany ? Object.values(byMetric).map((of) => of[name] ?? 0) : []),
        share,
      ]),
    }),
  });
  if (model.isMany)
    shareChart.element.append(legend(model.metrics.map((name, index) => ({ name, ...styleOf(index) }))));
  const brushes = new Map(
    params
      .concat(goalsOf(model))
      .flatMap((axis) => filterIn(address.search.get(`only.${axis}`)).map((filter) => [axis, filter])),
  );
  const clear = h(
    "button",
    {
      type: "button",
      class: "quiet",
      hidden: true,
      onclick: () => {
        [...brushes.keys()].forEach((axis) => brush(axis, null));
      },
    },
    "Clear filters",
  );
  const byShare = [...params].sort((a, b) => (shares[b] ?? 0) - (shares[a] ?? 0));
  const important = new Set(byShare.slice(0, SHOWN_PARAMS));
  const axes = params.filter((one) => important.has(one));
  const strands = figure({
    title: "Parameters and score",
    note: `deep colour: better${model.isMany ? ` ${model.metric}, orange: unbeaten` : ""}; drag along an axis to filter${axes.length < params.length ? `; ${axes.length} of ${params.length} parameters, the most important` : ""}`,
    file: "parallel",
    wide: true,
    role: "group",
    height: 300,
    minWidth: 110 + 84 * (axes.length + model.metrics.length - 1),
    draw: (width, height) => parallel(model, axes, brushes, brush, width, height),
    describe: () => `${count(scored().length, "trial")} over ${axes.join(", ")}, coloured by ${model.metric}.`,
    rows: () => trialRows(model),
  });
  strands.element.querySelector(".chart-tools").prepend(clear);
  const planes = byShare.slice(0, MOST_PLANES).map((parameter) =>
    figure({
      title: parameter,
      note: [model.space[parameter].log && "log", conditionOf(model.space[parameter])].filter(Boolean).join("; "),
      file: `score-by-${parameter}`,
      height: 190,
      draw: (width, height) => against(model, parameter, width, height),
      describe: () => `${model.metric} against ${parameter}, ${count(scored().length, "trial")}.`,
      rows: () => ({
        columns: [parameter, model.metric],
        rows: scored().map((one) => [one.params[parameter], one.score]),
      }),
    }),
  );
  const tellsLoss = () => model.tuner.counts.failed + model.tuner.counts.infeasible > 0;
  const charts = [...bestCharts, curves, shareChart, strands, ...planes];

  function brush(axis, filter) {
    filter ? brushes.set(axis, filter) : brushes.delete(axis);
    address.keep(
      `only.${axis}`,
      filter && JSON.stringify(filter.options ?? [filter.low, filter.high].map((one) => Number(one.toPrecision(6)))),
    );
    filtered();
    [strands, ...planes].forEach((one) => one.redraw());
  }

  /** The table shows what the filters let through. */
  function filtered() {
    hide(clear, !brushes.size, strands.element.querySelector(".plot"));
    model.isOut = brushes.size ? (trial) => !isScored(trial) || isOutOf(brushes, trial) : null;
    const through = model.isOut ? model.trials.filter((trial) => !model.isOut(trial)) : model.trials;
    const left = model.nTrials - model.trials.length;
    const told = count(model.trials.length, "trial");
    listNote.textContent = [
      model.isOut ? `${num(through.length)} of ${told} ${through.length === 1 ? "passes" : "pass"} the filters` : told,
      left > 0 &&
        `${num(left)} ${isOlderRead ? "older ones are left out here and in the charts" : "others are being read"}`,
    ]
      .filter(Boolean)
      .join("; ");
    list.update(through);
  }

  const list = table({
    caption: "Trials",
    key: (trial) => trial.trialId,
    sorted: model.isMany ? "Front" : "Score",
    isDescending: model.isUpward,
    address,
    sign: (trial) => [trial.state, trial.score, trial.runId, trial.worker, trial.endTime, isBest(model, trial)].join(),
    rowClass: (trial) => (isBest(model, trial) ? "best" : ""),
    columns: [
      {
        name: "Trial",
        isNumber: true,
        isLead: true,
        isHead: true,
        sort: (trial) => trial.number,
        cell: (trial) => (trial.href ? h("a", { href: trial.href }, num(trial.number)) : num(trial.number)),
      },
      ...(model.isMany
        ? [
            {
              name: "Front",
              isNumber: true,
              sort: (trial) => (model.front.has(trial.trialId) ? trial.score : null),
              cell: (trial) => (isBest(model, trial) ? h("span", { role: "img", "aria-label": "Unbeaten" }, "★") : ""),
            },
          ]
        : []),
      ...(model.isMany
        ? model.metrics.map((metric) => ({
            name: metric,
            id: `scores.${metric}`,
            isNumber: true,
            isScore: true,
            sort: (trial) => trial.scores[metric],
            cell: (trial, scores) => scores(trial.scores[metric]),
          }))
        : [
            {
              name: "Score",
              isNumber: true,
              isScore: true,
              sort: (trial) => trial.score,
              cell: (trial, scores) => scores(trial.score),
            },
          ]),
      {
        name: "State",
        sort: (trial) => trial.state,
        cell: (trial) => [badge(trial.state), noteOf(trial) && remark(noteOf(trial))],
      },
      ...params.map((parameter) => ({
        name: parameter,
        id: `params.${parameter}`,
        isHidden: !important.has(parameter),
        isNumber: isNumeric(model.space[parameter]),
        sort: (trial) => trial.params[parameter],
        cell: (trial) => num(trial.params[parameter], 3),
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
    ],
  });
  const listNote = h("span", { class: "note" });

  // ------------------------------------------------------------------------------------------------------------ page

  function show() {
    const { tuner } = model;
    const { counts } = tuner;
    const name = nameOf(tuner);
    fill(headline, document.createTextNode(sentence(model, shares))); // what somebody has selected stays so
    news.say(headline.textContent);
    crumbs({ text: name });
    const steer = (word, verb) =>
      h(
        "button",
        {
          type: "button",
          onclick: () =>
            (verb !== "stop" || confirm(FINAL)) && call("POST", `${path}/${verb}`).then(forgive, refuse).then(tellEdit),
        },
        word,
      );
    fill(
      words,
      h("span", { class: "name", dir: "auto" }, name),
      badge(tuner.state, ENDED[tuner.stop_reason]),
      ...tuner.tags.map((tag) => h("span", { class: "tag" }, tag)),
    );
    fill(
      actions,
      ...[
        tuner.state === "active" && steer("Pause", "pause"),
        tuner.state === "paused" && steer("Resume", "resume"),
        ["active", "paused"].includes(tuner.state) && steer("Stop", "stop"),
      ].filter(Boolean),
    );
    fill(bestParams, ...chips(tuner.best));
    const most = tuner.budget.max_trials;
    const spent = model.nProposed - counts.queued - counts.running - counts.stale;
    const stopper = [tuner.stopper]
      .flat()
      .map((one) => one.type)
      .filter((one) => one !== "none")
      .join(", ");
    fill(
      facts,
      ...[
        fact("Progress", [
          most ? `${num(spent)} of ${num(most)}` : count(model.nEnded, "trial"),
          most &&
            h("progress", { max: most, value: Math.min(most, spent), "aria-label": "Trials ended, out of the budget" }),
        ]),
        fact("Running", num(counts.running)),
        counts.queued > 0 && fact("Queued", num(counts.queued)),
        counts.stale > 0 && fact("Stale", num(counts.stale)),
        (stopper || counts.stopped > 0) && fact("Stopped early", num(counts.stopped)),
        fact("Failed", num(counts.failed)),
        counts.infeasible > 0 && fact("Infeasible", num(counts.infeasible)),
        fact("Strategy", tuner.strategy),
        stopper && fact("Stopper", stopper),
        fact("Changed", when(tuner.update_time)),
        idFact,
      ].filter(Boolean),
    );
    fill(
      start,
      ...(model.nTrials
        ? []
        : [
            h(
              "section",
              { class: "card empty" },
              h("h2", null, "Waiting for a worker"),
              h("p", null, "Ask what to try:"),
              command(`curl ${here(`${path}/suggest`)} -H 'Content-Type: application/json' -d '{"worker": "me"}'`),
            ),
          ]),
    );
    body.hidden = !model.nTrials;
    for (const one of [strands, ...planes]) one.element.hidden = !scored().length;
    curves.colour();
    const mark = [model.nEnded, model.trials.length, model.bestId, [...model.front]].join();
    // Of many trials a picture takes its time: a second for each thousand lies between two.
    const isDue = Date.now() - drawnAt > Math.min(model.trials.length, 6000);
    if (mark !== drawn && !isDue)
      redrawing ??= setTimeout(() => {
        redrawing = null;
        if (!isGone) show();
      }, 1000);
    (mark === drawn || !isDue ? [curves, shareChart] : charts).forEach((one) => one.redraw());
    if (mark !== drawn && isDue) [drawn, drawnAt] = [mark, Date.now()];
    filtered();
  }

  /** What the best trial was given, the most important first. */
  function chips(best) {
    if (!best) return [];
    const names = Object.keys(best.params).sort((a, b) => (shares[b] ?? 0) - (shares[a] ?? 0));
    const left = names.length - BEST_PARAMS;
    const { href } = model.trials.find((trial) => trial.trialId === best.trial_id) ?? {};
    return [
      ...names
        .slice(0, BEST_PARAMS)
        .map((one) => h("div", null, h("dt", null, one), h("dd", null, num(best.params[one], 3)))),
      left > 0 && h("div", null, h("dt", null, `and ${left} more`)),
      href &&
        h(
          "div",
          { class: "open" },
          h("dt", { class: "hidden" }, "Details"),
          h("dd", null, h("a", { href }, `Open trial ${best.number}`)),
        ),
      h(
        "div",
        { class: "open" },
        h("dt", { class: "hidden" }, "For use elsewhere"),
        h("dd", null, copier(JSON.stringify(best.params), "Copy as JSON")),
      ),
    ].filter(Boolean);
  }

  const fact = (word, value) => h("div", null, h("dt", null, word), h("dd", null, value));

  /** Told by the trials as long as all are here, else by the service. */
  async function readFront() {
    if (!model.isMany) return;
    const isAll = model.trials.length >= model.nTrials;
    model.front = isAll
      ? frontOf(model.trials, model.tuner.objectives)
      : new Set((await get(`${path}/pareto`)).items.map((trial) => trial.trial_id));
  }

  // ------------------------------------------------------------------------------------------------------------ live

  await readFront();
  let lastShares = Date.now();
  let unfollow = null;
  let isGone = false;
  let isOlderRead = false;
  let lastOlder = 0;

  /** The trials that the overview left out: once, and again where one of them has moved on meanwhile. */
  async function readOlder() {
    const left = new Set(older);
    const fresh = new Set(model.trials.filter((trial) => !left.has(trial)).map((trial) => trial.trialId));
    const isMissing = model.nTrials > model.trials.length && !isOlderRead;
    if (!isMissing && !older.some((trial) => UNDER_WAY.has(trial.state) && !fresh.has(trial.trialId))) return;
    if (Date.now() - lastOlder < 5000) return;
    lastOlder = Date.now();
    const seen = await get(`${path}/overview?max_trials=${MOST_TRIALS}&max_curves=0`).catch(() => null);
    if (!seen || isGone) return;
    if (!isOlderRead) drawnAt = 0; // what is drawn so far lacks the middling ones: it misleads
    [older, isOlderRead] = [trialsOf(seen), true];
    all.soon(250);
  }

  function hear(event) {
    recent.push(event);
    if (recent.length > 20000) recent.splice(0, 10000);
    curves.hear(event);
    if (event.type !== "epoch_end") all.soon(250);
  }

  /** What only the service knows. */
  const all = refresher(async () => {
    try {
      const seen = await look();
      if (isGone) return;
      take(seen);
      await readFront();
      if (Date.now() - lastShares > 3000) {
        lastShares = Date.now();
        await readShares();
      }
      if (isGone) return;
      show();
      readOlder();
    } catch (error) {
      if (isGone) return;
      error.status === 404 ? end() : all.soon(2000);
    }
  });

  /** Nothing of a tuner stays when it is deleted. */
  function end() {
    leave();
    crumbs({ text: "Deleted tuner" });
    place.replaceChildren(
      h(
        "section",
        { class: "empty" },
        h("h1", null, "This tuner was deleted"),
        h("p", { role: "status" }, `${nameOf(model.tuner)} is gone, with its trials.`),
        h("a", { href: "#/" }, "To the tuners"),
      ),
    );
  }

  function leave() {
    isGone = true;
    all.stop();
    clearTimeout(redrawing);
    unfollow();
  }

  /** What is refused because nobody answers is told until somebody does. */
  const forgive = () => {
    refusal.textContent = "";
  };
  const refuse = (error) => {
    refusal.textContent = error.message;
  };

  const edit = () =>
    import("./edit.js")
      .catch(() => {
        throw new Away();
      })
      .then((one) => one.edit(path, "tuner"))
      .then(forgive, refuse);

  async function restart() {
    unfollow?.();
    const seen = await look().catch((error) => error);
    if (isGone) return;
    if (seen instanceof Error) return seen.status === 404 ? end() : setTimeout(restart, 3000);
    recent.length = 0;
    [older, isOlderRead, lastOlder] = [[], false, 0]; // they may be of a store that was set back since
    take(seen);
    await Promise.all([readFront(), readShares()]).catch(() => all.soon(2000));
    if (isGone) return;
    show();
    forgive();
    unfollow = follow({ tuner_id: id }, seen.last_event_id, hear, restart, forgive);
    readOlder();
  }

  const skip = h(
    "a",
    {
      class: "skip",
      href: "#trials",
      onclick: (event) => {
        event.preventDefault();
        list.element.focus();
      },
    },
    "Skip the charts",
  );
  const body = h(
    "div",
    null,
    skip,
    h("h2", { class: "hidden" }, "Charts"),
    h(
      "div",
      { class: "charts" },
      charts.map((one) => one.element),
      params.length > MOST_PLANES &&
        h(
          "p",
          { class: "note wide" },
          `Score against ${MOST_PLANES} of ${params.length} parameters, the most important first; the table of trials has them all.`,
        ),
    ),
    h(
      "section",
      { class: "card wide" },
      h(
        "div",
        { class: "card-head" },
        h("h2", null, "Trials"),
        listNote,
        h("a", { class: "aside-link", href: `#/${query({ filter: `tuner_id = "${id}"` })}` }, "Pick some to compare"),
        list.chooser,
      ),
      list.element,
    ),
  );
  title.append(
    words,
    h("button", { type: "button", class: "quiet", "aria-haspopup": "dialog", onclick: edit }, "Edit"),
    actions,
  );
  place.append(title, refusal, headline, bestParams, facts, start, body, news.element);
  show();
  unfollow = follow({ tuner_id: id }, first.last_event_id, hear, restart, forgive);
  readOlder();
  return leave;
}

/** A filter as the address has it: none, or one. */
function filterIn(text) {
  try {
    const value = JSON.parse(text ?? "null");
    if (!Array.isArray(value)) return [];
    const [low, high] = value;
    return value.length === 2 && [low, high].every((one) => typeof one === "number")
      ? [{ low, high }]
      : [{ options: value.map(String) }];
  } catch {
    return [];
  }
}
