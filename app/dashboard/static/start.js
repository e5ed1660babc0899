// The start page: tuners and recent runs, with numbers; search with the filter language.

import { curl, follow, get, query, refresher } from "./api.js";
import { badge, command, count, h, nameLink, num, s, scoresOf, when } from "./dom.js";
import { linear } from "./scale.js";
import { field, search } from "./search.js";
import { runTable, tagsOf } from "./start-runs.js";
import { table } from "./table.js";

const MOST_MET = 100; // tuners in one request

export async function view(place, { crumbs, isHere, address }) {
  crumbs();
  const known = new Map(); // tuners by their ids
  const metAt = new Map(); // when those that are not listed were read
  const tunerRows = tunerTable();
  const runRows = runTable({ known, address, onTurn });
  const tuners = search({
    name: "tuners",
    path: "/v1/overview",
    key: "tuner_filter",
    placeholder: 'state = "active" and name ilike "digits%"',
    size: 100,
    idOf: (one) => one.tuner_id,
    address,
    isHere,
    show: showTuners,
    hint: () => hintOn("No tuners yet. Make one from a space of parameters:", "/v1/tuners", FIRST_TUNER),
  });
  const sorting = field("order_by", address.search.get("order_by") ?? "", "metrics.accuracy desc");
  const runs = search({
    name: "runs",
    path: "/v1/runs",
    key: "filter",
    placeholder: 'metrics.accuracy > 0.9 and "baseline" in tags',
    size: 25,
    itemsOf: runsOf,
    idOf: (one) => one.run_id,
    address,
    isHere,
    show: showRuns,
    others: h("label", null, "Order by", sorting),
    order: sorting.value,
    leaves: ["sort"],
    hint: () => hintOn("No runs yet. Start one:", "/v1/runs", FIRST_RUN),
  });
  let naming = null;
  let unfollow = null;
  let isGone = false;

  /** Of more runs than are here the service knows the first ones. */
  function onTurn(column, isDescending) {
    if (!runs.token) return;
    sorting.value = sorting.defaultValue = `${column.field}${isDescending ? " desc" : ""}`;
    address.keep("order_by", sorting.value);
    runs.turn(sorting.value);
  }

  function showTuners() {
    for (const one of tuners.items) known.set(one.tuner_id, one);
    tunerRows.update(tuners.items);
    tunerRows.element.hidden = !tuners.items.length;
  }

  async function showRuns() {
    await meetTuners();
    runRows.element.hidden = runRows.chooser.hidden = !runs.items.length;
    runRows.update(runs.items);
  }

  /** Those that the runs are called by, and are after; which a filter may leave out of the list of tuners. */
  async function meetTuners() {
    await naming?.catch(() => null);
    const listed = new Set(tuners.items.map((one) => one.tuner_id));
    const others = [...new Set(runs.items.map((run) => run.tuner_id))].filter((id) => id && !listed.has(id));
    // Those that were met longest ago: they may have been renamed since.
    const wanted = others.sort((a, b) => (metAt.get(a) ?? 0) - (metAt.get(b) ?? 0)).slice(0, MOST_MET);
    if (!wanted.length) return;
    const filter = `tuner_id in (${wanted.map((id) => JSON.stringify(id))})`;
    const { items } = await get(`/v1/tuners${query({ filter, page_size: MOST_MET })}`);
    for (const id of wanted) metAt.set(id, Date.now());
    for (const one of items) known.set(one.tuner_id, one);
  }

  async function read() {
    naming = tuners.read();
    const [page] = await Promise.all([naming, runs.read()]);
    return page;
  }

  /** All of it, and what happens after that. */
  async function begin() {
    const page = await read();
    // Where a filter is refused, nothing else is told.
    const { last_event_id: last } = page ?? (await get("/v1/overview?page_size=1"));
    if (!isGone) unfollow = follow({}, last, hear, start, forgive);
  }

  function start() {
    unfollow?.();
    for (const one of [tuners, runs]) one.trim();
    begin().catch(() => isGone || setTimeout(start, 3000));
  }

  function forgive() {
    for (const one of [tuners, runs]) one.forgive();
  }

  const hear = () => all.soon(1000);
  place.append(
    h("h1", { class: "hidden" }, "Tuners and runs"),
    h("section", { class: "card wide" }, h("h2", null, "Tuners"), listOf(tuners, tunerRows)),
    h(
      "section",
      { class: "card wide" },
      h("div", { class: "card-head" }, h("h2", null, "Recent runs"), runRows.chooser),
      listOf(runs, runRows),
    ),
  );
  await begin();
  const all = refresher(() => read().catch(() => all.soon(3000))); // no sooner: nobody stops that of a view that fails
  return () => {
    isGone = true;
    all.stop();
    unfollow();
  };
}

/** A search and what it finds. */
const listOf = (found, rows) => [found.form, found.failure, rows.bar, rows.element, found.more, found.empty];

/** The runs of a page, each with the number of its trial. */
const runsOf = (page) => page.items.map((run, index) => ({ ...run, trialNumber: page.trial_numbers[index] }));

const FIRST_TUNER =
  '{"name": "first", "space": {"lr": {"type": "float_range", "min": 1e-4, "max": 1e-1, "log": true}}}';
const FIRST_RUN = '{"name": "first", "params": {"lr": 0.01}}';

/** What to do where there is nothing yet: a command that makes the first one. */
const hintOn = (text, path, body) => [h("p", null, text), command(curl(path, body))];

// -------------------------------------------------------------------------------------------------------------- tuners

const MOST_BEST = 4;

const ended = ({ counts }) => counts.completed + counts.stopped + counts.failed + counts.infeasible;

const spent = ({ counts, n_proposed: n }) => n - counts.queued - counts.running - counts.stale;

/** The best score of each objective. */
const bestOf = (one) => one.objectives.map(({ metric }) => [metric, one.front?.best[metric] ?? one.best?.score]);

/** The table of tuners, as table.js makes it. */
function tunerTable() {
  let writers = new Map(); // what can be told apart is what was measured alike
  const rows = table({
    caption: "Tuners",
    key: (one) => one.tuner_id,
    sign: (one) =>
      JSON.stringify([
        one.name,
        one.tags,
        one.state,
        one.counts,
        one.front?.n_trials,
        bestOf(one),
        one.last_sign_time,
        one.budget.max_trials,
        one.objectives.map(({ metric }) => writers.get(metric).form),
      ]),
    columns: columnsOf(([metric, score]) => h("strong", null, writers.get(metric)(score))),
  });

  function update(tuners) {
    const byMetric = Map.groupBy(tuners.flatMap(bestOf), ([metric]) => metric);
    writers = new Map([...byMetric].map(([metric, alike]) => [metric, scoresOf(alike.map(([, score]) => score))]));
    rows.update(tuners);
  }

  return { ...rows, update };
}

/** `write` makes an element of a metric and its score. */
const columnsOf = (write) => [
  {
    name: "Tuner",
    isHead: true,
    sort: (one) => one.name,
    cell: (one) => [
      nameLink(one.name || `tuner ${one.tuner_id.slice(-8)}`, `#/tuners/${one.tuner_id}`),
      " ",
      badge(one.state),
      tagsOf(one),
    ],
  },
  {
    name: "Best",
    isNumber: true,
    sort: (one) => bestOf(one)[0][1],
    cell: (one) => [
      one.objectives.length > 1 ? bestOfMany(one, write) : bestOfOne(one, write),
      (one.front || one.improvements.length > 0) && h("div", { class: "small" }, sparkline(one)),
    ],
  },
  { name: "Best so far", isAside: true, cell: sparkline },
  { name: "Progress", isNumber: true, sort: ended, cell: progress },
  { name: "Running", isNumber: true, sort: (one) => one.counts.running, cell: (one) => num(one.counts.running) },
  {
    name: "Failed",
    isNumber: true,
    sort: (one) => one.counts.failed,
    cell: (one) => num(one.counts.failed + one.counts.infeasible),
  },
  { name: "Last activity", sort: (one) => one.last_sign_time, cell: (one) => when(one.last_sign_time) },
];

function bestOfOne(one, write) {
  const [best] = bestOf(one);
  return [write(best), h("div", { class: "note" }, best[0])];
}

function bestOfMany(one, write) {
  const bests = bestOf(one);
  const left = bests.length - MOST_BEST;
  return [
    bests.slice(0, MOST_BEST).map((best) => h("div", null, write(best), " ", h("span", { class: "note" }, best[0]))),
    left > 0 && h("div", { class: "note" }, `and ${left} more`),
  ];
}

/** How much of its budget is spent, where it has one. */
function progress(one) {
  const most = one.budget.max_trials;
  if (!most) return num(ended(one));
  return [
    `${num(spent(one))} of ${num(most)}`,
    h("progress", { max: most, value: Math.min(spent(one), most), "aria-label": "Trials ended, out of the budget" }),
  ];
}

/** The best score over trials, small: does it still rise? Of several objectives, how many trials none beats. */
function sparkline(tuner) {
  const steps = tuner.improvements;
  if (tuner.front) return h("span", { class: "note" }, count(tuner.front.n_trials, "unbeaten trial"));
  if (!steps.length) return h("span", { class: "note" }, "–");
  const values = steps.map((one) => one.score);
  const nEnded = ended(tuner);
  const x = linear([1, Math.max(nEnded, 2)], [2, 118]);
  const y = linear([Math.min(...values), Math.max(...values)], [26, 4]);
  const [first, ...rest] = steps;
  const last = steps.at(-1);
  const ago = nEnded > last.place ? `${count(nEnded - last.place, "trial")} ago` : "just now";
  const said = `From ${num(first.score)} to ${num(last.score)} in ${count(steps.length, "step")}; the last ${ago}`;
  const rises = rest.map((one) => `H${x(one.place)}V${y(one.score)}`).join("");
  const path = `M${x(first.place)} ${y(first.score)}${rises}H118`;
  return s(
    "svg",
    { class: "spark", width: 122, height: 30, viewBox: "0 0 122 30", role: "img", "aria-label": said },
    s("title", null, said),
    s("path", { d: path }),
    s("circle", { cx: x(last.place), cy: y(last.score), r: 2.5 }),
  );
}
