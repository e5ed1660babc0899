// A run: all its metrics live, its parameters, what happened to it, and a way to stop it.

import { away, call, follow, get, refresher, tellEdit } from "./api.js";
import { count, fill, h, identity, notice, num } from "./dom.js";
import { figure } from "./figure.js";
import { gallery } from "./gallery.js";
import { COLOURS, lineRows, lines, put } from "./lines.js";
import { cardsOf, factsOf, isOpen, nameOf, noEpochs, titleOf } from "./run-details.js";

const AGAIN_MS = 3000;

/** From where on a curve has no numbers. */
function brokenFrom({ xs, ys }) {
  const index = ys.findLastIndex((one) => typeof one === "number") + 1;
  return index > 0 && index < ys.length ? `${ys[index]} from ${num(xs[index])} on` : "";
}

/**
 * The curves of a run, a chart for each metric.
 *
 * @returns {Object}
 *   - element
 *   - isEmpty(): whether there are none
 *   - take(seen): those of an overview, instead of all that there were
 *   - show(seen): with what the overview says of their run
 *   - hear(event): the values of an epoch
 */
function curveCharts(address) {
  const curves = new Map();
  const charts = new Map();
  const grid = gallery(chart, address);
  let seen = null;

  const nLogged = (metric) => seen.run.summary[metric]?.count ?? 0;

  function chart(metric) {
    if (charts.has(metric)) return charts.get(metric);
    const one = figure({
      title: metric,
      file: metric,
      canZoom: true,
      height: 240,
      address,
      note: () => brokenFrom(curves.get(metric)),
      draw: (...how) => lines([curves.get(metric)], ...how),
      describe: () => describe(metric),
      rows: () => lineRows([curves.get(metric)], metric),
    });
    charts.set(metric, one);
    return one;
  }

  function describe(metric) {
    const { xs, ys } = curves.get(metric);
    return `${count(Math.max(xs.length, nLogged(metric)), "epoch")}, now ${num(ys.at(-1))}.`;
  }

  function curveOf(metric) {
    if (!curves.has(metric))
      curves.set(metric, {
        xs: [],
        ys: [],
        name: metric,
        colour: COLOURS[0],
        isOpen: true,
        isStopped: false,
        isWhole: true,
      });
    return curves.get(metric);
  }

  /** What its tuner is after comes first. */
  const metricsHere = () =>
    [...curves.keys()].sort((a, b) => (b === seen.objective?.metric) - (a === seen.objective?.metric));

  return {
    element: grid.element,
    isEmpty: () => curves.size === 0,
    take(overview) {
      seen = overview;
      curves.clear();
      for (const [metric, { epochs, values }] of Object.entries(seen.series))
        Object.assign(curveOf(metric), { xs: epochs, ys: values, isWhole: epochs.length >= nLogged(metric) });
    },
    show(overview) {
      seen = overview;
      for (const curve of curves.values()) curve.isOpen = isOpen(seen.run);
      grid.show(metricsHere());
    },
    hear({ epoch, metrics }) {
      const n = curves.size;
      for (const [metric, value] of Object.entries(metrics)) {
        put(curveOf(metric), epoch, value);
        charts.get(metric)?.redraw();
      }
      if (curves.size > n) grid.show(metricsHere());
    },
  };
}

export async function view(place, { id, crumbs, isHere, address }) {
  const path = `/v1/runs/${id}`;
  let seen = await get(`${path}/overview`);
  const curves = curveCharts(address);
  const top = h("div", { class: "title-line" });
  const facts = h("dl", { class: "facts" });
  const side = h("div", { class: "side" });
  const empty = h("div");
  const refusal = h("p", { class: "failure", role: "alert" });
  const words = h("span", { class: "words" });
  const actions = h("span", { class: "actions" });
  const idFact = identity(id);
  let unfollow = null;
  let isGone = false;

  const hrefOfTuner = () => seen.run.tuner_id && `#/tuners/${seen.run.tuner_id}`;

  function show() {
    const { run } = seen;
    const tuner = run.tuner_id ? [{ text: seen.tuner_name || "tuner", href: hrefOfTuner() }] : [];
    crumbs(...tuner, { text: nameOf(seen) });
    fill(words, ...titleOf(seen));
    fill(actions, ...(isOpen(run) ? [stopButton()] : []));
    fill(facts, ...factsOf(seen, idFact));
    curves.show(seen);
    fill(empty, ...(curves.isEmpty() ? [noEpochs(run, path)] : []));
    fill(side, ...cardsOf(seen));
  }

  /** One that is disabled by the browser could not take the focus over. */
  const stopButton = () =>
    seen.run.stop_requested
      ? h("button", { type: "button", "aria-disabled": "true" }, "Told to stop")
      : h("button", { type: "button", onclick: stop }, "Stop");

  /** What is refused because nobody answers is told until somebody does. */
  const forgive = () => {
    refusal.textContent = "";
  };
  const refuse = (error) => {
    refusal.textContent = error.message;
  };

  const edit = () =>
    import("./edit.js")
      .catch(away)
      .then((one) => one.edit(path, "run", isHere))
      .then(forgive, refuse);

  async function stop() {
    await call("POST", `${path}/stop`, { reason: "asked for in the dashboard" }).then(forgive, refuse);
    tellEdit();
  }

  function hear(event) {
    if (event.type !== "epoch_end") return seenAgain.soon(100);
    curves.hear(event);
    empty.replaceChildren();
    seenAgain.soon(1000);
  }

  /** The facts anew; the curves stay as the events told them. */
  const seenAgain = refresher(async () => {
    const next = await get(`${path}/overview?max_points=0`).catch((error) => error);
    if (isGone) return;
    if (next instanceof Error) return next.status === 404 ? end() : seenAgain.soon(AGAIN_MS);
    seen = next;
    show();
  });

  /** Nothing of a run stays when it is deleted. */
  function end() {
    leave();
    crumbs({ text: "Deleted run" });
    place.replaceChildren(
      notice(
        "This run was deleted",
        h("p", { role: "status" }, `${nameOf(seen)} is gone, with all that it logged.`),
        seen.run.tuner_id ? h("a", { href: hrefOfTuner() }, "To its tuner") : h("a", { href: "#/" }, "To the runs"),
      ),
    );
  }

  function leave() {
    isGone = true;
    seenAgain.stop();
    unfollow();
  }

  const attend = () => follow({ run_id: id }, seen.last_event_id, hear, restart, forgive);

  async function restart() {
    unfollow?.();
    const next = await get(`${path}/overview`).catch((error) => error);
    if (isGone) return;
    if (next instanceof Error) return next.status === 404 ? end() : setTimeout(restart, AGAIN_MS);
    seen = next;
    curves.take(seen);
    show();
    forgive();
    unfollow = attend();
  }

  curves.take(seen);
  top.append(
    words,
    h("button", { type: "button", class: "quiet", "aria-haspopup": "dialog", onclick: edit }, "Edit"),
    actions,
  );
  place.append(top, refusal, facts, empty, h("div", { class: "with-side" }, curves.element, side));
  show();
  unfollow = attend();
  return leave;
}
