// The start page: tuners and recent runs, with numbers; search with the filter language.

import { follow, get, here, MOST_COMPARED, query, refresher } from "./api.js";
import { badge, command, count, duration, h, nameLink, num, s, scoresOf, trialName, when } from "./dom.js";
import { linear } from "./scale.js";
import { field, search } from "./search.js";
import { table } from "./table.js";

const SHOWN_METRICS = 4;
const MOST_BEST = 4;
const MOST_TAGS = 3;
const MOST_NAMES = 100;

const ended = ({ counts }) => counts.completed + counts.stopped + counts.failed + counts.infeasible;

/** The best score over trials, small: does it still rise? Of several objectives, how many trials none beats. */
function sparkline(tuner) {
  const steps = tuner.improvements;
  if (tuner.front) return h("span", { class: "note" }, count(tuner.front.n_trials, "unbeaten trial"));
  if (!steps.length) return h("span", { class: "note" }, "–");
  const values = steps.map((one) => one.score);
  const nEnded = ended(tuner);
  const x = linear([1, Math.max(nEnded, 2)], [2, 118]);
  const y = linear([Math.min(...values), Math.max(...values)], [26, 4]);
  const last = steps.at(-1);
  const said = `From ${num(values[0])} to ${num(last.score)} in ${count(steps.length, "step")}; the last ${nEnded > last.place ? `${count(nEnded - last.place, "trial")} ago` : "just now"}`;
  return s(
    "svg",
    { class: "spark", width: 122, height: 30, viewBox: "0 0 122 30", role: "img", "aria-label": said },
    s("title", null, said),
    s("path", {
      d: `M${x(steps[0].place)} ${y(values[0])}${steps
        .slice(1)
        .map((one) => `H${x(one.place)}V${y(one.score)}`)
        .join("")}H118`,
    }),
    s("circle", { cx: x(last.place), cy: y(last.score), r: 2.5 }),
  );
}

/** A few of its tags, for a line of a list. */
const tagsOf = (one) => one.tags.slice(0, MOST_TAGS).map((tag) => [" ", h("span", { class: "tag" }, tag)]);

function tunerTable() {
  const spent = ({ counts, n_proposed: n }) => n - counts.queued - counts.running - counts.stale;
  /** The best score of each objective. */
  const bestOf = (one) => one.objectives.map(({ metric }) => [metric, one.front?.best[metric] ?? one.best?.score]);
  let writers = new Map(); // what can be told apart is what was measured alike
  const write = ([metric, score]) => h("strong", null, writers.get(metric)(score));
  const short = (best) => [
    best.slice(0, MOST_BEST).map((one) => h("div", null, write(one), " ", h("span", { class: "note" }, one[0]))),
    best.length > MOST_BEST && h("div", { class: "note" }, `and ${best.length - MOST_BEST} more`),
  ];
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
    columns: [
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
          one.objectives.length > 1
            ? short(bestOf(one))
            : [write(bestOf(one)[0]), h("div", { class: "note" }, one.objectives[0].metric)],
          (one.front || one.improvements.length > 0) && h("div", { class: "small" }, sparkline(one)),
        ],
      },
      { name: "Best so far", isAside: true, cell: sparkline },
      {
        name: "Progress",
        isNumber: true,
        sort: ended,
        cell: (one) => [
          one.budget.max_trials ? `${num(spent(one))} of ${num(one.budget.max_trials)}` : num(ended(one)),
          one.budget.max_trials &&
            h("progress", {
              max: one.budget.max_trials,
              value: Math.min(spent(one), one.budget.max_trials),
              "aria-label": "Trials ended, out of the budget",
            }),
        ],
      },
      { name: "Running", isNumber: true, sort: (one) => one.counts.running, cell: (one) => num(one.counts.running) },
      {
        name: "Failed",
        isNumber: true,
        sort: (one) => one.counts.failed,
        cell: (one) => num(one.counts.failed + one.counts.infeasible),
      },
      { name: "Last activity", sort: (one) => one.last_sign_time, cell: (one) => when(one.last_sign_time) },
    ],
  });
  return {
    ...rows,
    update(tuners) {
      writers = new Map(
        [...Map.groupBy(tuners.flatMap(bestOf), ([metric]) => metric)].map(([metric, alike]) => [
          metric,
          scoresOf(alike.map(([, score]) => score)),
        ]),
      );
      rows.update(tuners);
    },
  };
}

/** A name as filter and order have it. */
const fieldOf = (kind, name) => `${kind}.${/^[a-z_]\w*$/i.test(name) ? name : `\`${name.replaceAll("`", "``")}\``}`;

/** Runs with their numbers, in columns for what they have; those that are ticked can be compared. */
function runTable({ known, picked, address, onTurn }) {
  const trialOf = (run) =>
    run.trialNumber === null
      ? ""
      : trialName(run.trialNumber, known.get(run.tuner_id)?.name || `tuner ${run.tuner_id.slice(-8)}`);
  const title = (run) => run.name || trialOf(run) || `run ${run.run_id.slice(-8)}`;
  const compare = h("a", { class: "button first" });
  const enough = h("span", { class: "note", role: "status" });
  const bar = h(
    "div",
    { class: "picked" },
    compare,
    h("button", { type: "button", class: "quiet", onclick: untick }, "Untick all"),
    enough,
  );
  function offer() {
    bar.hidden = !picked.size;
    compare.hidden = picked.size < 2;
    compare.textContent = `Compare ${count(picked.size, "run")}`;
    compare.setAttribute("href", `#/compare${query({ run: [...picked] })}`);
    enough.textContent = picked.size < MOST_COMPARED ? "" : `At most ${MOST_COMPARED} runs can be compared.`;
  }
  function keep() {
    address.keep("picked", picked.size ? [...picked].join(" ") : null);
    offer();
  }
  function untick() {
    picked.clear();
    for (const one of rows.element.querySelectorAll("input:checked")) one.checked = false;
    rows.forget(); // those out of sight
    rows.element.focus({ preventScroll: true }); // the button is about to be hidden
    keep();
  }
  offer();
  const tick = (run) =>
    h("input", {
      type: "checkbox",
      "aria-label": `Compare ${title(run)}`,
      checked: picked.has(run.run_id),
      onchange({ target }) {
        target.checked &&= picked.size < MOST_COMPARED;
        target.checked ? picked.add(run.run_id) : picked.delete(run.run_id);
        keep();
      },
    });
  const columnsOf = (metrics, params) => [
    { name: "", said: "Compare", isNarrow: true, cell: tick },
    {
      name: "Run",
      isHead: true,
      field: "name",
      sort: title,
      cell: (run) => [
        nameLink(title(run), `#/runs/${run.run_id}`),
        run.name && trialOf(run) && [" ", h("span", { class: "note" }, trialOf(run))],
        h("div", { class: "small" }, badge(run.status)),
        tagsOf(run),
      ],
    },
    { name: "Status", isAside: true, field: "status", sort: (run) => run.status, cell: (run) => badge(run.status) },
    ...metrics.map((metric, index) => ({
      name: metric,
      id: `metrics.${metric}`,
      field: fieldOf("metrics", metric),
      isHidden: index >= SHOWN_METRICS,
      isNumber: true,
      isScore: true,
      sort: (run) => run.metrics[metric],
      cell: (run, scores) => scores(run.metrics[metric]),
    })),
    ...params.map((param) => ({
      name: param,
      id: `params.${param}`,
      field: fieldOf("params", param),
      isHidden: true,
      sort: (run) => run.params[param],
      cell: (run) => num(run.params[param], 3),
    })),
    {
      name: "Epoch",
      field: "last_epoch",
      isNumber: true,
      sort: (run) => run.last_epoch,
      cell: (run) => num(run.last_epoch),
    },
    {
      name: "Took",
      field: "duration_s",
      isNumber: true,
      sort: (run) => run.duration_s,
      cell: (run) => duration(run.duration_s),
    },
    { name: "Started", field: "start_time", sort: (run) => run.start_time, cell: (run) => when(run.start_time) },
    {
      name: "Last epoch",
      field: "last_epoch_time",
      sort: (run) => run.last_epoch_time,
      cell: (run) => when(run.last_epoch_time),
    },
  ];
  const rows = table({
    caption: "Runs",
    key: (run) => run.run_id,
    address,
    onTurn,
    columns: columnsOf([], []),
    sign: (run) =>
      JSON.stringify([
        title(run),
        trialOf(run),
        run.tags,
        run.status,
        run.metrics,
        run.last_epoch,
        run.last_epoch_time,
        run.end_time,
      ]),
  });
  let names = "";
  return {
    ...rows,
    bar,
    update(runs) {
      const wanted = new Set(
        runs.flatMap((run) => known.get(run.tuner_id)?.objectives.map(({ metric }) => metric) ?? []),
      );
      const metrics = namesOf(
        runs.map((run) => run.metrics),
        wanted,
      );
      const params = namesOf(runs.map((run) => run.params));
      const next = [...metrics, "", ...params].sort().join();
      if (next !== names && !rows.chooser.open) {
        // or what somebody is about to choose would move
        names = next;
        rows.recast(columnsOf(metrics, params));
      }
      rows.update(runs);
    },
  };
}

/** The runs of a page, each with the number of its trial. */
const runsOf = (page) => page.items.map((run, index) => ({ ...run, trialNumber: page.trial_numbers[index] }));

/** The names that these maps have, those that somebody is after before the others, the most frequent first. */
function namesOf(maps, wanted = new Set()) {
  const n = new Map();
  for (const one of maps) for (const name of Object.keys(one)) n.set(name, (n.get(name) ?? 0) + 1);
  return [...n]
    .sort(([a, ofA], [b, ofB]) => wanted.has(b) - wanted.has(a) || ofB - ofA)
    .slice(0, MOST_NAMES)
    .map(([name]) => name);
}

export async function view(place, { crumbs, address }) {
  crumbs();
  const known = new Map();
  const metAt = new Map();
  const picked = new Set(address.search.get("picked")?.split(" ").slice(0, MOST_COMPARED)); // tuners by their ids, and when those that are not listed were read; ids of runs
  const tunerRows = tunerTable();
  const runRows = runTable({ known, picked, address, onTurn });
  const tuners = search({
    name: "tuners",
    path: "/v1/overview",
    key: "tuner_filter",
    placeholder: 'state = "active" and name ilike "digits%"',
    size: 100,
    idOf: (one) => one.tuner_id,
    address,
    show: showTuners,
    hint: [
      h("p", null, "No tuners yet. Make one from a space of parameters:"),
      command(
        `curl ${here("/v1/tuners")} -H 'Content-Type: application/json' -d '{"name": "first", "space": {"lr": {"type": "float_range", "min": 1e-4, "max": 1e-1, "log": true}}}'`,
      ),
    ],
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
    show: showRuns,
    others: h("label", null, "Order by", sorting),
    order: sorting.value,
    leaves: ["sort"],
    hint: [
      h("p", null, "No runs yet. Start one:"),
      command(
        `curl ${here("/v1/runs")} -H 'Content-Type: application/json' -d '{"name": "first", "params": {"lr": 0.01}}'`,
      ),
    ],
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
    const longestAgo = others.sort((a, b) => (metAt.get(a) ?? 0) - (metAt.get(b) ?? 0)).slice(0, MOST_NAMES); // they may have been renamed since
    if (!longestAgo.length) return;
    const { items } = await get(
      `/v1/tuners${query({ filter: `tuner_id in (${longestAgo.map((id) => JSON.stringify(id))})`, page_size: MOST_NAMES })}`,
    );
    for (const id of longestAgo) metAt.set(id, Date.now());
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
    const { last_event_id: last } = page ?? (await get("/v1/overview?page_size=1")); // where a filter is refused, nothing else is told
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

  const all = refresher(() => read().catch(() => all.soon(3000)));
  const hear = () => all.soon(1000);
  place.append(
    h("h1", { class: "hidden" }, "Tuners and runs"),
    h(
      "section",
      { class: "card wide" },
      h("h2", null, "Tuners"),
      tuners.form,
      tuners.failure,
      tunerRows.element,
      tuners.more,
      tuners.empty,
    ),
    h(
      "section",
      { class: "card wide" },
      h("div", { class: "card-head" }, h("h2", null, "Recent runs"), runRows.chooser),
      runs.form,
      runs.failure,
      runRows.bar,
      runRows.element,
      runs.more,
      runs.empty,
    ),
  );
  await begin();
  return () => {
    isGone = true;
    all.stop();
    unfollow();
  };
}
