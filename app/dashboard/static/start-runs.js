// The list of runs on the start page, in columns for what they have; those that are ticked can be compared.

import { MOST_COMPARED, query } from "./api.js";
import { badge, count, duration, h, nameLink, num, trialName, when } from "./dom.js";
import { table } from "./table.js";

const SHOWN_METRICS = 4;
const MOST_NAMES = 100;
const MOST_TAGS = 3;

/** A few of its tags, for a line of a list. */
export const tagsOf = (one) => one.tags.slice(0, MOST_TAGS).map((tag) => [" ", h("span", { class: "tag" }, tag)]);

/**
 * The table of runs, as table.js makes it, and the `bar` that leads to a comparison of some.
 * @param known tuners by their ids: what the runs are called by, and are after
 * @param address where the order, the columns and the ticked ones are remembered
 * @param onTurn(column, isDescending) hears of a new order
 */
export function runTable({ known, address, onTurn }) {
  const trialOf = (run) =>
    run.trialNumber === null
      ? ""
      : trialName(run.trialNumber, known.get(run.tuner_id)?.name || `tuner ${run.tuner_id.slice(-8)}`);
  const title = (run) => run.name || trialOf(run) || `run ${run.run_id.slice(-8)}`;
  const picks = picking(address, untickAll);
  const tick = (run) => picks.box(run.run_id, `Compare ${title(run)}`);
  const columnsOf = (metrics, params) => [
    { name: "", said: "Compare", isNarrow: true, cell: tick },
    ...nameColumns(title, trialOf),
    ...metrics.map(metricColumn),
    ...params.map(paramColumn),
    ...LAST_COLUMNS,
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

  function untickAll() {
    for (const one of rows.element.querySelectorAll("input:checked")) one.checked = false;
    rows.forget(); // those out of sight
    rows.element.focus({ preventScroll: true }); // the button is about to be hidden
  }

  function update(runs) {
    const objectives = runs.flatMap((run) => known.get(run.tuner_id)?.objectives ?? []);
    const wanted = new Set(objectives.map(({ metric }) => metric));
    const metrics = namesOf(
      runs.map((run) => run.metrics),
      wanted,
    );
    const params = namesOf(runs.map((run) => run.params));
    const next = [...metrics, "", ...params].sort().join();
    // While somebody chooses columns, what they are about to choose does not move.
    if (next !== names && !rows.chooser.open) {
      names = next;
      rows.recast(columnsOf(metrics, params));
    }
    rows.update(runs);
  }

  return { ...rows, bar: picks.bar, update };
}

/** The names that these maps have, those that somebody is after before the others, the most frequent first. */
function namesOf(maps, wanted = new Set()) {
  const n = new Map();
  for (const one of maps) for (const name of Object.keys(one)) n.set(name, (n.get(name) ?? 0) + 1);
  return [...n]
    .sort(([a, ofA], [b, ofB]) => wanted.has(b) - wanted.has(a) || ofB - ofA)
    .slice(0, MOST_NAMES)
    .map(([name]) => name);
}

/** What is ticked, kept in the address: {bar, box(id, label)}. `onClear()`: the boxes have to follow. */
function picking(address, onClear) {
  const picked = new Set(address.search.get("picked")?.split(" ").slice(0, MOST_COMPARED));
  const compare = h("a", { class: "button first" });
  const enough = h("span", { class: "note", role: "status" });
  const untick = h("button", { type: "button", class: "quiet", onclick: clear }, "Untick all");
  const bar = h("div", { class: "picked" }, compare, untick, enough);

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

  function clear() {
    picked.clear();
    onClear();
    keep();
  }

  const box = (id, label) =>
    h("input", {
      type: "checkbox",
      "aria-label": label,
      checked: picked.has(id),
      onchange({ target }) {
        target.checked &&= picked.size < MOST_COMPARED;
        target.checked ? picked.add(id) : picked.delete(id);
        keep();
      },
    });

  offer();
  return { bar, box };
}

// ------------------------------------------------------------------------------------------------------------- columns

const nameColumns = (title, trialOf) => [
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
];

const metricColumn = (metric, index) => ({
  name: metric,
  id: `metrics.${metric}`,
  field: fieldOf("metrics", metric),
  isHidden: index >= SHOWN_METRICS,
  isNumber: true,
  isScore: true,
  sort: (run) => run.metrics[metric],
  cell: (run, scores) => scores(run.metrics[metric]),
});

const paramColumn = (param) => ({
  name: param,
  id: `params.${param}`,
  field: fieldOf("params", param),
  isHidden: true,
  sort: (run) => run.params[param],
  cell: (run) => num(run.params[param], 3),
});

/** A name as filter and order have it. */
const fieldOf = (kind, name) => `${kind}.${/^[a-z_]\w*$/i.test(name) ? name : `\`${name.replaceAll("`", "``")}\``}`;

const LAST_COLUMNS = [
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
