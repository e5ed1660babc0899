// Some runs side by side: their curves over each other, the parameters that differ.

import { follow, get, MOST_COMPARED, query } from "./api.js";
import { count, fill, h, num } from "./dom.js";
import { figure } from "./figure.js";
import { legend, lineRows, lines, put, styleOf, swatch } from "./lines.js";

const MOST_METRICS = 12, ID = /^[\da-f-]{36}$/;

/** Those of these runs that there are, in their order, each with its tuner. */
async function existing(ids) {
  const wanted = ids.filter((id) => ID.test(id));
  if (!wanted.length) return [];
  const { items } = await get(`/v1/runs${query({ filter: `run_id in (${wanted.map((id) => JSON.stringify(id)).join()})`, fields: "run_id,tuner_id", page_size: MOST_COMPARED })}`);
  const there = new Map(items.map((run) => [run.run_id, run]));
  return wanted.map((id) => there.get(id)).filter(Boolean);
}

/** Which way is better, of the metrics that are objectives of these tuners and of no two in opposite ways. */
async function readDirections(tunerIds) {
  const tuners = await Promise.all([...new Set(tunerIds)].filter(Boolean).map((id) => get(`/v1/tuners/${id}`).catch(() => null)));
  const directions = new Map();
  for (const { metric, direction } of tuners.flatMap((one) => one?.objectives ?? []))
    directions.set(metric, [direction, undefined].includes(directions.get(metric)) ? direction : null);
  return directions;
}

/** The best of some values, where it is known which that is, and they are not all the same. */
function bestOf(values, direction) {
  const sign = { maximize: 1, minimize: -1 }[direction];
  const best = values.reduce((best, one) => (sign && typeof one === "number" && (best === null || sign * one > sign * best) ? one : best), null);
  return values.every((one) => one === best) ? null : best;
}

/** What the page does not show of what it was asked for. */
function missing(asked, ids) {
  const gone = asked.slice(0, MOST_COMPARED).filter((id) => !ids.includes(id)), nLeft = asked.length - MOST_COMPARED;
  return [gone.length > 0 && `No longer there: ${gone.map((id) => `run ${id.slice(-8)}`).join(", ")}.`,
    nLeft > 0 && `At most ${MOST_COMPARED} runs can be compared; ${nLeft === 1 ? "the last one is" : `the last ${num(nLeft)} are`} left out.`]
    .filter(Boolean).map((line) => h("p", { class: "note", role: "status" }, line));
}

export async function view(place, { crumbs, address }) {
  const asked = [...new Set(address.search.getAll("run"))];
  crumbs({ text: "Compare" });
  const [{ last_event_id: last }, there] = await Promise.all([get("/v1/overview?page_size=1"), existing(asked.slice(0, MOST_COMPARED))]);
  const ids = there.map((run) => run.run_id), notes = missing(asked, ids);
  if (ids.length < 2) {
    place.append(h("section", { class: "empty" }, h("h1", null, "Nothing to compare"), notes, h("p", null, "Tick two or more runs in a list, and come back."),
      ids.map((id) => h("p", null, h("a", { href: `#/runs/${id}` }, "To the run that is left"))), h("a", { href: "#/" }, "To the runs")));
    return () => null;
  }
  const comparison = `/v1/runs/compare${query({ run_id: ids })}`;
  const [compared, { runs }, directions] = await Promise.all([get(comparison), get(`/v1/metrics${query({ run_id: ids, max_points: 500 })}`), readDirections(there.map((run) => run.tuner_id))]);
  const without = (id) => `#/compare${query({ ...Object.fromEntries(address.search), run: asked.filter((one) => one !== id) })}`;
  const names = compared.names.map((name, index) => name || `run ${compared.run_ids[index].slice(-8)}`);
  const byMetric = new Map();

  function curveOf(metric, index) {
    if (!byMetric.has(metric)) byMetric.set(metric, new Map());
    const curves = byMetric.get(metric);
    if (!curves.has(index)) curves.set(index, { xs: [], ys: [], name: names[index], ...styleOf(index), isStopped: false, href: `#/runs/${ids[index]}` });
    return curves.get(index);
  }

  runs.forEach(({ series }, index) => {
    for (const [metric, { epochs, values }] of Object.entries(series)) Object.assign(curveOf(metric, index), { xs: epochs, ys: values });
  });
  const charts = new Map([...byMetric.keys()].slice(0, MOST_METRICS).map((metric) => [metric, figure({
    title: metric, file: `compare-${metric}`, canZoom: true, height: 260, address,
    draw: (width, height, zoom, before) => lines([...byMetric.get(metric).values()], width, height, zoom, before),
    describe: () => [...byMetric.get(metric).values()].map((one) => `${one.name} at ${num(one.ys.at(-1))}`).join(", "),
    rows: () => lineRows([...byMetric.get(metric).values()], metric),
  })]));
  const metricsNow = h("tbody");
  const head = h("thead", null, h("tr", null, h("th", { scope: "col" }, ""), names.map((name, index) => h("th", { scope: "col", class: "number" }, swatch(styleOf(index)), h("a", { href: `#/runs/${ids[index]}` }, name)))));
  const line = (name, values, differs, best = null) => h("tr", { class: differs ? "differs" : "same" }, h("th", { scope: "row" }, name),
    values.map((value) => (best !== null && value === best ? h("td", { class: "number top", title: "The best of these" }, h("strong", null, num(value, 6))) : h("td", { class: "number" }, num(value, 6)))));
  const lead = (title) => h("tr", null, h("th", { scope: "rowgroup", colspan: names.length + 1, class: "group" }, title));
  const part = (title, entries) => h("tbody", null, lead(title), entries);
  const showMetrics = ({ metrics }) => fill(metricsNow, lead("Metrics, latest"), ...Object.entries(metrics).map(([name, one]) => line(name, one.latest, false, bestOf(one.latest, directions.get(name)))));
  const differing = ([, one]) => one.differs, same = ([, one]) => !one.differs;
  const params = Object.entries(compared.params), nDiffering = params.filter(differing).length;
  place.append(h("h1", { class: "headline" }, `${names.length} runs; ${nDiffering} of ${count(params.length, "parameter")} ${nDiffering === 1 ? "differs" : "differ"}.`), ...notes,
    legend(names.map((name, index) => ({ name, ...styleOf(index), href: `#/runs/${ids[index]}`, out: ids.length > 2 && without(ids[index]) }))),
    h("div", { class: "charts" }, [...charts.values()].map((one) => one.element), byMetric.size > MOST_METRICS && h("p", { class: "note wide" }, `Curves of ${MOST_METRICS} of ${byMetric.size} metrics; the table has all.`)),
    h("section", { class: "card wide" }, h("div", { class: "table-frame", tabindex: 0, role: "region", "aria-label": "Side by side" }, h("table", null, h("caption", { class: "hidden" }, "Side by side"), head,
      part("Parameters that differ", params.filter(differing).map(([name, one]) => line(name, one.values, true))),
      metricsNow,
      params.some(same) && part("Parameters that are equal", params.filter(same).map(([name, one]) => line(name, one.values, false)))))));

  /** The whole view anew, once the service is there. */
  async function again() {
    if (!place.isConnected) return;
    if (await get("/v1/overview?page_size=1").catch(() => null)) dispatchEvent(new Event("hashchange"));
    else setTimeout(again, 3000);
  }

  let timer = null;
  const reread = () => get(comparison).then(showMetrics, () => null).finally(() => { timer = null; });

  showMetrics(compared);
  const unfollow = follow({ run_id: ids, type: ["epoch_end", "training_end", "run_delete"] }, last, (event) => {
    if (event.type === "run_delete") return void again();
    timer ??= setTimeout(reread, 1000);
    if (event.type !== "epoch_end") return;
    const index = ids.indexOf(event.run_id);
    for (const [metric, value] of Object.entries(event.metrics)) {
      put(curveOf(metric, index), event.epoch, value);
      charts.get(metric)?.redraw();
    }
  }, again);
  return () => {
    clearTimeout(timer);
    unfollow();
  };
}
