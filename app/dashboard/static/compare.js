// Some runs side by side: their curves over each other, the parameters that differ.

import { follow, get, MOST_COMPARED, query, refresher } from "./api.js";
import { count, fill, h, num, speaker, trialName } from "./dom.js";
import { figure } from "./figure.js";
import { legend, lineRows, lines, put, styleOf, swatch } from "./lines.js";
import { cutName } from "./scale.js";

const MOST_METRICS = 12;
const MOST_POINTS = 500;
const MOST_NAMED = 3;
const NAME = 60;
const ID = /^[\da-f-]{36}$/;

/** Those of these runs that there are, in their order, each with its tuner. */
async function existing(ids) {
  const wanted = ids.filter((id) => ID.test(id));
  if (!wanted.length) return [];
  const { items } = await get(
    `/v1/runs${query({ filter: `run_id in (${wanted.map((id) => JSON.stringify(id)).join()})`, fields: "run_id,tuner_id,last_epoch", page_size: MOST_COMPARED })}`,
  );
  const there = new Map(items.map((run) => [run.run_id, run]));
  return wanted.map((id) => there.get(id)).filter(Boolean);
}

/** The tuners of these runs, by id. */
async function readTuners(runs) {
  const ids = [...new Set(runs.map((run) => run.tuner_id))].filter(Boolean);
  const tuners = await Promise.all(ids.map((id) => get(`/v1/tuners/${id}`).catch(() => null)));
  return new Map(tuners.filter(Boolean).map((one) => [one.tuner_id, one]));
}

/** What each run is called: by its own name or its trial's number; those that would be called alike also by their ids. */
function namesOf({ run_ids: ids, names, trial_numbers: numbers }, tunerOf) {
  const isOne = new Set(tunerOf.filter(Boolean)).size === 1;
  const trial = (index) => trialName(numbers[index], isOne ? "" : tunerOf[index]?.name);
  const plain = names.map((name, index) => name || (numbers[index] === null ? "" : trial(index)));
  const isAlone = (name) => name && plain.indexOf(name) === plain.lastIndexOf(name);
  return plain.map((name, index) => (isAlone(name) ? name : `${name || "run"} ${ids[index].slice(-8)}`));
}

/** Which way is better, of the metrics that are objectives of these tuners and of no two in opposite ways. */
function directionsOf(tuners) {
  const directions = new Map();
  for (const { metric, direction } of tuners.flatMap((one) => one.objectives))
    directions.set(metric, [direction, undefined].includes(directions.get(metric)) ? direction : null);
  return directions;
}

/** The best of some values, where it is known which that is, and they are not all the same. */
function bestOf(values, direction) {
  const sign = { maximize: 1, minimize: -1 }[direction];
  const best = values.reduce(
    (best, one) => (sign && typeof one === "number" && (best === null || sign * one > sign * best) ? one : best),
    null,
  );
  return values.every((one) => one === best) ? null : best;
}

/** In words: which of these is best at what their tuners are after, and in how much they differ. */
function sentence(names, metrics, directions, told) {
  const bests = Object.entries(metrics)
    .map(([metric, { latest }]) => {
      const best = bestOf(latest, directions.get(metric));
      const who = names.filter((_, index) => latest[index] === best);
      const named = who.length > MOST_NAMED ? [`${num(who.length)} of them`] : who.map((name) => cutName(name, NAME));
      return { metric, best, isMany: who.length > 1, named: named.join(" and ") };
    })
    .filter(({ best }) => best !== null);
  const [{ metric, best, isMany, named } = {}] = bests;
  const runs = `${names.length} runs`;
  if (!bests.length) return `${runs}; ${told}.`;
  if (bests.length === 1) return `${named} ${isMany ? "are" : "is"} best of ${runs}: ${metric} ${num(best)}; ${told}.`;
  return `Best of ${runs}: ${bests.map((one) => `${one.metric} ${num(one.best)} in ${one.named}`).join(", ")}; ${told}.`;
}

/** What the page does not show of what it was asked for. */
function missing(asked, ids) {
  const gone = asked.slice(0, MOST_COMPARED).filter((id) => !ids.includes(id));
  const nLeft = asked.length - MOST_COMPARED;
  return [
    gone.length > 0 && `No longer there: ${gone.map((id) => `run ${id.slice(-8)}`).join(", ")}.`,
    nLeft > 0 &&
      `At most ${MOST_COMPARED} runs can be compared; ${nLeft === 1 ? "the last one is" : `the last ${num(nLeft)} are`} left out.`,
  ]
    .filter(Boolean)
    .map((line) => h("p", { class: "note", role: "status" }, line));
}

export async function view(place, { crumbs, address }) {
  const asked = [...new Set(address.search.getAll("run"))];
  crumbs({ text: "Compare" });
  const [{ last_event_id: last }, there] = await Promise.all([
    get("/v1/overview?page_size=1"),
    existing(asked.slice(0, MOST_COMPARED)),
  ]);
  const ids = there.map((run) => run.run_id);
  const notes = missing(asked, ids);
  if (ids.length < 2) {
    place.append(
      h(
        "section",
        { class: "empty" },
        h("h1", null, "Nothing to compare"),
        notes,
        h("p", null, "Tick two or more runs in a list, and come back."),
        ids.map((id) => h("p", null, h("a", { href: `#/runs/${id}` }, "To the run that is left"))),
        h("a", { href: "#/" }, "To the runs"),
      ),
    );
    return () => null;
  }
  const comparison = `/v1/runs/compare${query({ run_id: ids })}`;
  const [compared, { runs }, tuners] = await Promise.all([
    get(comparison),
    get(`/v1/metrics${query({ run_id: ids, max_points: MOST_POINTS })}`),
    readTuners(there),
  ]);
  const tunerOf = there.map((run) => tuners.get(run.tuner_id));
  const directions = directionsOf([...tuners.values()]);
  if (tunerOf[0] && new Set(tunerOf).size === 1)
    crumbs({ text: tunerOf[0].name || "tuner", href: `#/tuners/${tunerOf[0].tuner_id}` }, { text: "Compare" });
  const without = (id) =>
    `#/compare${query({ ...Object.fromEntries(address.search), run: asked.filter((one) => one !== id) })}`;
  const names = namesOf(compared, tunerOf);
  const byMetric = new Map();

  function curveOf(metric, index) {
    if (!byMetric.has(metric)) byMetric.set(metric, new Map());
    const curves = byMetric.get(metric);
    if (!curves.has(index))
      curves.set(index, {
        xs: [],
        ys: [],
        name: names[index],
        ...styleOf(index),
        isStopped: false,
        isWhole: (there[index].last_epoch ?? 0) < MOST_POINTS,
        href: `#/runs/${ids[index]}`,
      });
    return curves.get(index);
  }

  runs.forEach(({ series }, index) => {
    for (const [metric, { epochs, values }] of Object.entries(series))
      Object.assign(curveOf(metric, index), { xs: epochs, ys: values });
  });
  const wantedFirst = (some) => [...some].sort((a, b) => directions.has(b) - directions.has(a));
  const charts = new Map();
  const left = h("p", { class: "note wide" });
  const chart = (metric) =>
    figure({
      title: metric,
      file: `compare-${metric}`,
      canZoom: true,
      height: 260,
      address,
      draw: (...how) => lines([...byMetric.get(metric).values()], ...how),
      describe: () =>
        [...byMetric.get(metric).values()].map((one) => `${one.name} at ${num(one.ys.at(-1))}`).join(", "),
      rows: () => lineRows([...byMetric.get(metric).values()], metric),
    });

  /** Those of the metrics that there are by now, as far as there is room. */
  function showCharts() {
    for (const metric of wantedFirst(byMetric.keys())
      .filter((one) => !charts.has(one))
      .slice(0, MOST_METRICS - charts.size)) {
      charts.set(metric, chart(metric));
      left.before(charts.get(metric).element);
    }
    left.hidden = byMetric.size <= MOST_METRICS;
    left.textContent = `Curves of ${MOST_METRICS} of ${byMetric.size} metrics; the table has them all.`;
  }

  const metricsNow = h("tbody");
  const head = h(
    "thead",
    null,
    h(
      "tr",
      null,
      h("th", { scope: "col", class: "lead" }, h("span", { class: "hidden" }, "Name")),
      names.map((name, index) =>
        h(
          "th",
          { scope: "col", class: "number" },
          swatch(styleOf(index)),
          h("a", { href: `#/runs/${ids[index]}` }, name),
        ),
      ),
    ),
  );
  const line = (name, values, differs, best = null) =>
    h(
      "tr",
      { class: differs ? "differs" : "same" },
      h("th", { scope: "row", class: "lead", title: name }, name),
      values.map((value) =>
        best !== null && value === best
          ? h("td", { class: "number top", title: "The best of these" }, h("strong", null, num(value, 6)))
          : h("td", { class: "number", title: typeof value === "string" ? value : null }, num(value, 6)),
      ),
    );
  const lead = (title) =>
    h("tr", null, h("th", { scope: "rowgroup", colspan: names.length + 1, class: "group" }, title));
  const part = (title, entries) => h("tbody", null, lead(title), entries);
  const differing = ([, one]) => one.differs;
  const same = ([, one]) => !one.differs;
  const params = Object.entries(compared.params);
  const nDiffering = params.filter(differing).length;
  const headline = h("h1", { class: "headline" });
  const news = speaker();
  const told = `${nDiffering} of ${count(params.length, "parameter")} ${nDiffering === 1 ? "differs" : "differ"}`;

  function showMetrics({ metrics }) {
    fill(headline, document.createTextNode(sentence(names, metrics, directions, told)));
    news.say(headline.textContent);
    fill(
      metricsNow,
      lead("Metrics, latest"),
      ...wantedFirst(Object.keys(metrics)).map((name) =>
        line(name, metrics[name].latest, false, bestOf(metrics[name].latest, directions.get(name))),
      ),
    );
  }

  place.append(
    headline,
    ...notes,
    news.element,
    legend(
      names.map((name, index) => ({
        name,
        ...styleOf(index),
        href: `#/runs/${ids[index]}`,
        out: ids.length > 2 && without(ids[index]),
      })),
    ),
    h("h2", { class: "hidden" }, "Charts"),
    h("div", { class: "charts" }, left),
    h(
      "section",
      { class: "card wide" },
      h(
        "div",
        { class: "table-frame", tabindex: 0, role: "region", "aria-label": "Side by side" },
        h(
          "table",
          null,
          h("caption", { class: "hidden" }, "Side by side"),
          head,
          part(
            "Parameters that differ",
            params.filter(differing).map(([name, one]) => line(name, one.values, true)),
          ),
          metricsNow,
          params.some(same) &&
            part(
              "Parameters that are equal",
              params.filter(same).map(([name, one]) => line(name, one.values, false)),
            ),
        ),
      ),
    ),
  );

  let isOver = false;

  /** The whole view anew, once the service is there. */
  async function again() {
    if (isOver || !place.isConnected) return;
    isOver = true;
    while (place.isConnected && !(await get("/v1/overview?page_size=1").catch(() => null)))
      await new Promise((resolve) => setTimeout(resolve, 3000));
    if (place.isConnected) dispatchEvent(new Event("hashchange"));
  }

  const metricsAgain = refresher(() =>
    get(comparison).then(
      (next) => (String(next.names) === String(compared.names) ? showMetrics(next) : again()),
      () => metricsAgain.soon(3000),
    ),
  );

  showCharts();
  showMetrics(compared);
  const unfollow = follow(
    { run_id: ids, type: ["epoch_end", "training_end", "run_delete"] },
    last,
    (event) => {
      if (event.type === "run_delete") return void again();
      metricsAgain.soon(1000);
      if (event.type !== "epoch_end") return;
      const index = ids.indexOf(event.run_id);
      const n = byMetric.size;
      for (const [metric, value] of Object.entries(event.metrics)) {
        put(curveOf(metric, index), event.epoch, value);
        charts.get(metric)?.redraw();
      }
      if (byMetric.size > n) showCharts();
    },
    again,
  );
  return () => {
    metricsAgain.stop();
    unfollow();
  };
}
