// A run: all its metrics live, its parameters, what happened to it, and a way to stop it.

import { Away, call, follow, get, here, refresher, tellEdit } from "./api.js";
import { badge, command, copier, count, duration, exact, fill, h, identity, num, told, when } from "./dom.js";
import { figure } from "./figure.js";
import { gallery } from "./gallery.js";
import { COLOURS, lineRows, lines, put } from "./lines.js";

const SHOWN_METRICS = 4;

const TOLD = {
  run_start: () => "started",
  training_end: (event) => `ended as ${event.status} after ${duration(event.duration_s)}`,
  run_crash: (event) => `fell silent, or lost its trial, at epoch ${num(event.last_epoch)}`,
  run_resume: () => "was heard from again",
  run_delete: () => "was deleted",
};

/** From where on a curve has no numbers. */
function brokenFrom({ xs, ys }) {
  const index = ys.findLastIndex((one) => typeof one === "number") + 1;
  return index > 0 && index < ys.length ? `${ys[index]} from ${num(xs[index])} on` : "";
}

const nameOf = ({ run, trial }) => (trial ? `Trial ${trial.number}` : run.name || `run ${run.run_id.slice(-8)}`);

export async function view(place, { id, crumbs, address }) {
  const path = `/v1/runs/${id}`;
  let seen = await get(`${path}/overview`);
  const curves = new Map();
  const charts = new Map();
  const top = h("div", { class: "title-line" });
  const facts = h("dl", { class: "facts" });
  const side = h("div", { class: "side" });
  const grid = gallery(chart, address);
  const empty = h("div");
  const refusal = h("p", { class: "failure", role: "alert" });
  const words = h("span", { class: "words" });
  const actions = h("span", { class: "actions" });
  const idFact = identity(id);
  let unfollow = null;
  let isGone = false;

  const hrefOfTuner = () => seen.run.tuner_id && `#/tuners/${seen.run.tuner_id}`;

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
      describe: () =>
        `${count(Math.max(curves.get(metric).xs.length, seen.run.summary[metric]?.count ?? 0), "epoch")}, now ${num(curves.get(metric).ys.at(-1))}.`,
      rows: () => lineRows([curves.get(metric)], metric),
    });
    charts.set(metric, one);
    return one;
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

  function take() {
    for (const [metric, { epochs, values }] of Object.entries(seen.series))
      Object.assign(curveOf(metric), {
        xs: epochs,
        ys: values,
        isWhole: epochs.length >= (seen.run.summary[metric]?.count ?? 0),
      });
  }

  function show() {
    const { run, trial } = seen;
    const name = nameOf(seen);
    crumbs(...(run.tuner_id ? [{ text: seen.tuner_name || "tuner", href: hrefOfTuner() }] : []), { text: name });
    const isOpen = run.status === "running";
    fill(
      words,
      h("h1", { class: "name", dir: "auto" }, name),
      ...(trial && run.name ? [h("span", { class: "name", dir: "auto" }, run.name)] : []),
      badge(run.status),
      ...run.tags.map((tag) => h("span", { class: "tag" }, tag)),
    );
    // One that is disabled by the browser could not take the focus over.
    fill(
      actions,
      ...(isOpen
        ? [
            run.stop_requested
              ? h("button", { type: "button", "aria-disabled": "true" }, "Told to stop")
              : h("button", { type: "button", onclick: stop }, "Stop"),
          ]
        : []),
    );
    const fact = (word, value) => h("div", null, h("dt", null, word), h("dd", null, value));
    const first = new Set(
      [seen.objective?.metric, ...Object.keys(run.final_metrics ?? {}), ...Object.keys(run.metrics)].filter((metric) =>
        Object.hasOwn(run.metrics, metric ?? ""),
      ),
    );
    fill(
      facts,
      ...[...first].slice(0, SHOWN_METRICS).map((metric) => {
        return fact(metric, [
          num(run.metrics[metric]),
          extremes(metric).map((line) => h("div", { class: "note" }, line)),
        ]);
      }),
      fact("Epoch", [
        num(run.last_epoch),
        isOpen && run.last_epoch_time && h("div", { class: "note" }, when(run.last_epoch_time)),
      ]),
      fact("Started", [when(run.start_time), h("div", { class: "note" }, exact(run.start_time))]),
      fact("Took", isOpen ? "running" : duration(run.duration_s)),
      ...(trial && run.status === "crashed" ? [fact("Its trial", badge(trial.state))] : []),
      idFact,
    );
    for (const metric of curves.keys()) curves.get(metric).isOpen = isOpen;
    grid.show(metricsHere());
    fill(
      empty,
      ...(curves.size
        ? []
        : [
            h(
              "section",
              { class: "empty" },
              isOpen
                ? [
                    h("h2", null, "No epochs yet"),
                    h("p", null, "Log one:"),
                    command(
                      `curl ${here(`${path}/epochs`)} -H 'Content-Type: application/json' -d '{"epoch": 0, "metrics": {"loss": 0.5}}'`,
                    ),
                  ]
                : h("p", null, "It ended without an epoch."),
            ),
          ]),
    );
    fill(
      side,
      ...[
        h(
          "section",
          { class: "card" },
          h(
            "div",
            { class: "card-head" },
            h("h2", null, "Parameters"),
            Object.keys(run.params).length > 0 && copier(JSON.stringify(run.params), "Copy as JSON"),
          ),
          Object.keys(run.params).length ? pairs(run.params) : h("p", { class: "note" }, "None."),
        ),
        Object.keys(run.final_metrics ?? {}).length > 0 &&
          h("section", { class: "card" }, h("h2", null, "Final metrics"), pairs(run.final_metrics)),
        run.stop &&
          h(
            "section",
            { class: "card" },
            h("h2", null, "Told to stop"),
            h("p", null, `${run.stop.rule}: ${run.stop.reason}`),
          ),
        run.note &&
          h("section", { class: "card" }, h("h2", null, "Note"), h("p", { class: "text", dir: "auto" }, run.note)),
        trial &&
          h(
            "section",
            { class: "card" },
            h("h2", null, "How it was chosen"),
            h(
              "dl",
              { class: "pairs" },
              Object.entries(trial.why).map(([key, value]) => [h("dt", null, key), h("dd", null, told(value))]),
            ),
          ),
        h(
          "section",
          { class: "card" },
          h("h2", null, "Events"),
          h(
            "ol",
            { class: "events" },
            seen.events.map((event) =>
              h("li", null, when(event.timestamp), " ", TOLD[event.type]?.(event) ?? event.type),
            ),
          ),
        ),
      ].filter(Boolean),
    );
  }

  /** The best value of the objective; of a metric of which nobody said what is good, the lowest and the highest. */
  function extremes(metric) {
    const {
      objective,
      run: {
        summary: { [metric]: one },
      },
    } = seen;
    if (typeof one?.max !== "number") return [];
    const lowest = `lowest ${num(one.min)} at ${num(one.epoch_of_min)}`;
    const highest = `highest ${num(one.max)} at ${num(one.epoch_of_max)}`;
    if (metric !== objective?.metric) return one.min === one.max ? [] : [lowest, highest];
    return [objective.direction === "minimize" ? lowest : highest];
  }

  const pairs = (values) =>
    h(
      "dl",
      { class: "pairs" },
      Object.entries(values).map(([key, value]) => [h("dt", null, key), h("dd", null, num(value, 6))]),
    );

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
      .then((one) => one.edit(path, "run"))
      .then(forgive, refuse);

  async function stop() {
    await call("POST", `${path}/stop`, { reason: "asked for in the dashboard" }).then(forgive, refuse);
    tellEdit();
  }

  function hear(event) {
    if (event.type !== "epoch_end") return seenAgain.soon(100);
    const n = curves.size;
    for (const [metric, value] of Object.entries(event.metrics)) {
      put(curveOf(metric), event.epoch, value);
      charts.get(metric)?.redraw();
    }
    if (curves.size > n) grid.show(metricsHere());
    empty.replaceChildren();
    seenAgain.soon(1000);
  }

  /** The facts anew; the curves stay as the events told them. */
  const seenAgain = refresher(async () => {
    const next = await get(`${path}/overview?max_points=0`).catch((error) => error);
    if (isGone) return;
    if (next instanceof Error) return next.status === 404 ? end() : seenAgain.soon(3000);
    seen = next;
    show();
  });

  /** Nothing of a run stays when it is deleted. */
  function end() {
    leave();
    crumbs({ text: "Deleted run" });
    place.replaceChildren(
      h(
        "section",
        { class: "empty" },
        h("h1", null, "This run was deleted"),
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

  async function restart() {
    unfollow?.();
    const next = await get(`${path}/overview`).catch((error) => error);
    if (isGone) return;
    if (next instanceof Error) return next.status === 404 ? end() : setTimeout(restart, 3000);
    seen = next;
    curves.clear();
    take();
    show();
    forgive();
    unfollow = follow({ run_id: id }, seen.last_event_id, hear, restart, forgive);
  }

  take();
  top.append(
    words,
    h("button", { type: "button", class: "quiet", "aria-haspopup": "dialog", onclick: edit }, "Edit"),
    actions,
  );
  place.append(top, refusal, facts, empty, h("div", { class: "with-side" }, grid.element, side));
  show();
  unfollow = follow({ run_id: id }, seen.last_event_id, hear, restart, forgive);
  return leave;
}
