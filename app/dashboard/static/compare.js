// Some runs side by side: their curves over each other, the parameters that differ.

import { follow, get, MOST_COMPARED, query, refresher } from "./api.js";
import {
  difference,
  directionsOf,
  existing,
  missing,
  namesOf,
  readTuners,
  sentence,
  wantedFirst,
} from "./comparison.js";
import { fill, h, notice, num, speaker } from "./dom.js";
import { figure } from "./figure.js";
import { legend, lineRows, lines, put, styleOf } from "./lines.js";
import { sideBySide } from "./side-by-side.js";

const MOST_METRICS = 12;
const MOST_POINTS = 500;
const AGAIN_MS = 3000;

const nothing = (notes, ids) =>
  notice(
    "Nothing to compare",
    notes,
    h("p", null, "Tick two or more runs in a list, and come back."),
    ids.map((id) => h("p", null, h("a", { href: `#/runs/${id}` }, "To the run that is left"))),
    h("a", { href: "#/" }, "To the runs"),
  );

/**
 * The curves of all runs, a chart for each of the first metrics.
 *
 * @param {Object[]} looks - what a curve of each run has beside its points
 * @returns {Object}
 *   - element
 *   - take(series): those that are there, by metric, of each run
 *   - show(): charts of the metrics that there are by now
 *   - hear(index, event): the values of an epoch of one run
 */
function curveCharts(looks, directions, address) {
  const byMetric = new Map(); // of each the curves, by the place of their run
  const charts = new Map();
  const left = h("p", { class: "note wide" });

  function curveOf(metric, index) {
    if (!byMetric.has(metric)) byMetric.set(metric, new Map());
    const curves = byMetric.get(metric);
    if (!curves.has(index)) curves.set(index, { xs: [], ys: [], ...looks[index] });
    return curves.get(index);
  }

  function chart(metric) {
    const curves = () => [...byMetric.get(metric).values()];
    return figure({
      title: metric,
      file: `compare-${metric}`,
      canZoom: true,
      height: 260,
      address,
      draw: (...how) => lines(curves(), ...how),
      describe: () =>
        curves()
          .map((one) => `${one.name} at ${num(one.ys.at(-1))}`)
          .join(", "),
      rows: () => lineRows(curves(), metric),
    });
  }

  /** Those of the metrics that there are by now, as far as there is room. */
  function show() {
    const fresh = wantedFirst(byMetric.keys(), directions).filter((metric) => !charts.has(metric));
    for (const metric of fresh.slice(0, MOST_METRICS - charts.size)) {
      charts.set(metric, chart(metric));
      left.before(charts.get(metric).element);
    }
    left.hidden = byMetric.size <= MOST_METRICS;
    left.textContent = `Curves of ${MOST_METRICS} of ${byMetric.size} metrics; the table has them all.`;
  }

  return {
    element: h("div", { class: "charts" }, left),
    take(runs) {
      runs.forEach(({ series }, index) => {
        for (const [metric, { epochs, values }] of Object.entries(series))
          Object.assign(curveOf(metric, index), { xs: epochs, ys: values });
      });
    },
    show,
    hear(index, { epoch, metrics }) {
      const n = byMetric.size;
      for (const [metric, value] of Object.entries(metrics)) {
        put(curveOf(metric, index), epoch, value);
        charts.get(metric)?.redraw();
      }
      if (byMetric.size > n) show();
    },
  };
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
    place.append(nothing(notes, ids));
    return () => null;
  }
  const comparison = `/v1/runs/compare${query({ run_id: ids })}`;
  const [compared, metrics, tuners] = await Promise.all([
    get(comparison),
    get(`/v1/metrics${query({ run_id: ids, max_points: MOST_POINTS })}`),
    readTuners(there),
  ]);
  const tunerOf = there.map((run) => tuners.get(run.tuner_id));
  const [tuner] = tunerOf;
  if (tuner && tunerOf.every((one) => one === tuner))
    crumbs({ text: tuner.name || "tuner", href: `#/tuners/${tuner.tuner_id}` }, { text: "Compare" });

  const names = namesOf(compared, tunerOf);
  const directions = directionsOf([...tuners.values()]);
  const looks = there.map((run, index) => ({
    name: names[index],
    ...styleOf(index),
    isStopped: false,
    isWhole: (run.last_epoch ?? 0) < MOST_POINTS,
    href: `#/runs/${run.run_id}`,
  }));
  const without = (id) => () => {
    const left = address.asked();
    left.delete("run", id);
    return `#/compare?${left}`;
  };
  const headline = h("h1", { class: "headline" });
  const news = speaker();
  const charts = curveCharts(looks, directions, address);
  const table = sideBySide(looks, compared.params, directions);

  const told = difference(compared.params);

  function showMetrics({ metrics }) {
    fill(headline, document.createTextNode(sentence(names, metrics, directions, told)));
    news.say(headline.textContent);
    table.show(metrics);
  }

  let isOver = false;

  /** The whole view anew, once the service is there. */
  async function again() {
    if (isOver || !place.isConnected) return;
    isOver = true;
    metricsAgain.stop(); // where one of them is gone, nobody has theirs
    while (place.isConnected && !(await get("/v1/overview?page_size=1").catch(() => null)))
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    if (place.isConnected) dispatchEvent(new Event("hashchange"));
  }

  const metricsAgain = refresher(() =>
    get(comparison).then(
      (next) => (String(next.names) === String(compared.names) ? showMetrics(next) : again()),
      () => metricsAgain.soon(AGAIN_MS),
    ),
  );

  function hear(event) {
    if (event.type === "run_delete") return void again();
    metricsAgain.soon(1000);
    if (event.type === "epoch_end") charts.hear(ids.indexOf(event.run_id), event);
  }

  charts.take(metrics.runs);
  const legended = looks.map((one, index) => ({ ...one, out: ids.length > 2 && without(ids[index]) }));
  const chartsHead = h("h2", { class: "hidden" }, "Charts");
  place.append(headline, ...notes, news.element, legend(legended), chartsHead, charts.element, table.element);
  charts.show();
  showMetrics(compared);
  const unfollow = follow({ run_id: ids, type: ["epoch_end", "training_end", "run_delete"] }, last, hear, again);
  return () => {
    metricsAgain.stop();
    unfollow();
  };
}
