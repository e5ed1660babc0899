// The start page: tuners and recent runs, with numbers; search with the filter language.

import { Away, follow, get, here, MOST_COMPARED, query, refresher } from "./api.js";
import { badge, command, count, duration, h, nameLink, num, s, scoresOf, trialName, when } from "./dom.js";
import { linear } from "./scale.js";
import { table } from "./table.js";

const SHOWN_METRICS = 4, MOST_BEST = 4, MOST_TAGS = 3, MOST_NAMES = 100, MOST_AT_ONCE = 1000;

const ended = ({ counts }) => counts.completed + counts.stopped + counts.failed + counts.infeasible;

/** The best score over trials, small: does it still rise? Of several objectives, how many trials none beats. */
function sparkline(tuner) {
  const steps = tuner.improvements;
  if (tuner.front) return h("span", { class: "note" }, count(tuner.front.n_trials, "unbeaten trial"));
  if (!steps.length) return h("span", { class: "note" }, "–");
  const values = steps.map((one) => one.score), nEnded = ended(tuner);
  const x = linear([1, Math.max(nEnded, 2)], [2, 118]), y = linear([Math.min(...values), Math.max(...values)], [26, 4]);
  const last = steps.at(-1);
  const said = `From ${num(values[0])} to ${num(last.score)} in ${count(steps.length, "step")}; the last ${nEnded > last.place ? `${count(nEnded - last.place, "trial")} ago` : "just now"}`;
  return s("svg", { class: "spark", width: 122, height: 30, viewBox: "0 0 122 30", role: "img", "aria-label": said }, s("title", null, said),
    s("path", { d: `M${x(steps[0].place)} ${y(values[0])}${steps.slice(1).map((one) => `H${x(one.place)}V${y(one.score)}`).join("")}H118` }),
    s("circle", { cx: x(last.place), cy: y(last.score), r: 2.5 }));
}

/** A few of its tags, for a line of a list. */
const tagsOf = (one) => one.tags.slice(0, MOST_TAGS).map((tag) => [" ", h("span", { class: "tag" }, tag)]);

function tunerTable() {
  const spent = ({ counts, n_proposed: n }) => n - counts.queued - counts.running - counts.stale;
  /** The best score of each objective. */
  const bestOf = (one) => one.objectives.map(({ metric }) => [metric, one.front?.best[metric] ?? one.best?.score]);
  let writers = new Map(); // what can be told apart is what was measured alike
  const write = ([metric, score]) => h("strong", null, writers.get(metric)(score));
  const short = (best) => [best.slice(0, MOST_BEST).map((one) => h("div", null, write(one), " ", h("span", { class: "note" }, one[0]))), best.length > MOST_BEST && h("div", { class: "note" }, `and ${best.length - MOST_BEST} more`)];
  const rows = table({
    caption: "Tuners", key: (one) => one.tuner_id,
    sign: (one) => JSON.stringify([one.name, one.tags, one.state, one.counts, one.front?.n_trials, bestOf(one), one.last_sign_time, one.budget.max_trials, one.objectives.map(({ metric }) => writers.get(metric).form)]),
    columns: [
      { name: "Tuner", sort: (one) => one.name, cell: (one) => [nameLink(one.name || `tuner ${one.tuner_id.slice(-8)}`, `#/tuners/${one.tuner_id}`), " ", badge(one.state), tagsOf(one)] },
      { name: "Best", isNumber: true, sort: (one) => bestOf(one)[0][1], cell: (one) => [one.objectives.length > 1 ? short(bestOf(one)) : [write(bestOf(one)[0]), h("div", { class: "note" }, one.objectives[0].metric)], (one.front || one.improvements.length > 0) && h("div", { class: "small" }, sparkline(one))] },
      { name: "Best so far", isAside: true, cell: sparkline },
      { name: "Progress", isNumber: true, sort: ended, cell: (one) => [one.budget.max_trials ? `${num(spent(one))} of ${num(one.budget.max_trials)}` : num(ended(one)), one.budget.max_trials && h("progress", { max: one.budget.max_trials, value: Math.min(spent(one), one.budget.max_trials), "aria-label": "Trials ended, out of the budget" })] },
      { name: "Running", isNumber: true, sort: (one) => one.counts.running, cell: (one) => num(one.counts.running) },
      { name: "Failed", isNumber: true, sort: (one) => one.counts.failed, cell: (one) => num(one.counts.failed + one.counts.infeasible) },
      { name: "Last activity", sort: (one) => one.last_sign_time, cell: (one) => when(one.last_sign_time) },
    ],
  });
  return {
    ...rows,
    update(tuners) {
      writers = new Map([...Map.groupBy(tuners.flatMap(bestOf), ([metric]) => metric)].map(([metric, alike]) => [metric, scoresOf(alike.map(([, score]) => score))]));
      rows.update(tuners);
    },
  };
}

/** A name as filter and order have it. */
const fieldOf = (kind, name) => `${kind}.${/^[a-z_]\w*$/i.test(name) ? name : `\`${name.replaceAll("`", "``")}\``}`;

/** Runs with their numbers; those that are ticked can be compared. */
function runTable(metrics, params, { nameOf, picked, address, onTurn }) {
  const trialOf = (run) => (run.trialNumber === null ? "" : trialName(run.trialNumber, nameOf.get(run.tuner_id) || `tuner ${run.tuner_id.slice(-8)}`));
  const title = (run) => run.name || trialOf(run) || `run ${run.run_id.slice(-8)}`;
  const compare = h("a", { class: "button first" }), enough = h("span", { class: "note", role: "status" });
  const bar = h("div", { class: "picked" }, compare, h("button", { type: "button", class: "quiet", onclick: untick }, "Untick all"), enough);
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
    keep();
  }
  offer();
  const tick = (run) => h("input", {
    type: "checkbox", "aria-label": `Compare ${title(run)}`, checked: picked.has(run.run_id),
    onchange({ target }) {
      target.checked &&= picked.size < MOST_COMPARED;
      target.checked ? picked.add(run.run_id) : picked.delete(run.run_id);
      keep();
    },
  });
  const rows = table({
    caption: "Runs", key: (run) => run.run_id, address, onTurn,
    sign: (run) => JSON.stringify([title(run), trialOf(run), run.tags, run.status, run.metrics, run.last_epoch, run.end_time]),
    columns: [
      { name: "", isNarrow: true, cell: tick },
      { name: "Run", field: "name", sort: title, cell: (run) => [nameLink(title(run), `#/runs/${run.run_id}`), run.name && trialOf(run) && [" ", h("span", { class: "note" }, trialOf(run))], h("div", { class: "small" }, badge(run.status)), tagsOf(run)] },
      { name: "Status", isAside: true, field: "status", sort: (run) => run.status, cell: (run) => badge(run.status) },
      ...metrics.map((metric, index) => ({ name: metric, id: `metrics.${metric}`, field: fieldOf("metrics", metric), isHidden: index >= SHOWN_METRICS, isNumber: true, isScore: true, sort: (run) => run.metrics[metric], cell: (run, scores) => scores(run.metrics[metric]) })),
      ...params.map((param) => ({ name: param, id: `params.${param}`, field: fieldOf("params", param), isHidden: true, sort: (run) => run.params[param], cell: (run) => num(run.params[param], 3) })),
      { name: "Epoch", field: "last_epoch", isNumber: true, sort: (run) => run.last_epoch, cell: (run) => num(run.last_epoch) },
      { name: "Took", field: "duration_s", isNumber: true, sort: (run) => run.duration_s, cell: (run) => duration(run.duration_s) },
      { name: "Started", field: "start_time", sort: (run) => run.start_time, cell: (run) => when(run.start_time) },
    ],
  });
  return { ...rows, bar };
}

/** The runs of a page, each with the number of its trial. */
const runsOf = (page) => page.items.map((run, index) => ({ ...run, trialNumber: page.trial_numbers[index] }));

/** The names that these maps have, those that somebody is after before the others, the most frequent first. */
function namesOf(maps, wanted = new Set()) {
  const n = new Map();
  for (const one of maps) for (const name of Object.keys(one)) n.set(name, (n.get(name) ?? 0) + 1);
  return [...n].sort(([a, ofA], [b, ofB]) => wanted.has(b) - wanted.has(a) || ofB - ofA).slice(0, MOST_NAMES).map(([name]) => name);
}

export async function view(place, { crumbs, address }) {
  crumbs();
  const { search } = address;
  const filter = search.get("filter") ?? "";
  let order = search.get("order_by") ?? "";
  const tuners = tunerTable(), more = h("button", { type: "button", hidden: true, onclick: onMore }, "More runs");
  const failure = h("p", { class: "failure", id: "filter-failure", role: "alert" });
  const runsPlace = h("div"), chooserPlace = h("span", { class: "at-end" });
  const others = h("p", { class: "note", hidden: true }, "Only the 100 newest are shown; GET /v1/overview lists them all.");
  const tunersPlace = h("section", { class: "card wide" }, h("h2", null, "Tuners"), tuners.element, others);
  const input = h("input", { name: "filter", type: "search", value: filter, spellcheck: "false", autocapitalize: "off", autocomplete: "off", placeholder: 'metrics.accuracy > 0.9 and "baseline" in tags', "aria-describedby": "filter-failure" });
  const sorting = h("input", { name: "order_by", value: order, spellcheck: "false", autocapitalize: "off", autocomplete: "off", placeholder: "metrics.accuracy desc" });
  const form = h("form", { class: "search", role: "search", onsubmit }, h("label", null, "Filter", input), h("label", null, "Order by", sorting), h("button", null, "Search"));
  const nameOf = new Map(), wantedBy = new Map(), picked = new Set(search.get("picked")?.split(" ").slice(0, MOST_COMPARED));
  let shown = [], token = null, list = null, unfollow = null, isGone = false;

  function onsubmit(event) {
    event.preventDefault();
    const next = `#/${query({ filter: input.value.trim(), order_by: sorting.value.trim(), columns: search.get("columns"), picked: search.get("picked") })}`;
    if (next === location.hash) readRuns().catch(tell);
    else location.hash = next;
  }

  /** Of more runs than are here the service knows the first ones. */
  function onTurn(column, isDescending) {
    if (!token) return;
    sorting.value = order = `${column.field}${isDescending ? " desc" : ""}`;
    address.keep("order_by", order);
    shown = shown.slice(0, MOST_AT_ONCE); // or those of the order before would stay among them
    readRuns().catch(tell);
  }

  async function readRuns() {
    const asked = order, before = shown, size = Number(search.get("runs")) || 25;
    try {
      const page = await get(`/v1/runs${query({ filter, order_by: order, page_size: Math.min(Math.max(size, shown.length), MOST_AT_ONCE) })}`);
      if (asked !== order) return;
      if (before !== shown) return readRuns(); // more have come meanwhile
      const fresh = new Set(page.items.map((run) => run.run_id));
      if (shown.length > MOST_AT_ONCE) shown = [...runsOf(page), ...shown.filter((run) => !fresh.has(run.run_id))];
      else [shown, token] = [runsOf(page), page.next_page_token];
      failure.replaceChildren();
      input.removeAttribute("aria-invalid");
    } catch (error) {
      if (error instanceof Away || error.status >= 500) throw error; // the filter is not to blame
      [shown, token] = [[], null];
      input.setAttribute("aria-invalid", "true");
      const at = error.position;
      failure.replaceChildren(error.message);
      if (at !== undefined) failure.append(h("code", { class: "pointer-line" }, filter.slice(0, at), h("mark", null, filter[at] ?? "⏎"), filter.slice(at + 1)));
    }
    showRuns();
  }

  function showRuns() {
    more.hidden = !token;
    const wanted = new Set(shown.flatMap((run) => wantedBy.get(run.tuner_id) ?? []));
    const metrics = namesOf(shown.map((run) => run.metrics), wanted), params = namesOf(shown.map((run) => run.params)), names = [...metrics, "", ...params].sort().join();
    if (!list || (list.names !== names && !list.chooser.open)) {
      list = Object.assign(runTable(metrics, params, { nameOf, picked, address, onTurn }), { names });
      runsPlace.replaceChildren(list.bar, list.element);
      chooserPlace.replaceChildren(list.chooser);
    }
    list.element.hidden = list.chooser.hidden = !shown.length;
    list.update(shown);
    runsPlace.querySelector(".empty")?.remove();
    if (!shown.length && !failure.textContent) runsPlace.append(h("div", { class: "empty" }, filter ? h("p", null, "No run matches.") : [h("p", null, "No runs yet. Start one:"), command(`curl ${here("/v1/runs")} -H 'Content-Type: application/json' -d '{"name": "first", "params": {"lr": 0.01}}'`)]));
  }

  const tell = (error) => failure.replaceChildren(error.message);

  async function onMore() {
    const asked = token, n = shown.length;
    const page = await get(`/v1/runs${query({ filter, order_by: order, page_size: 100, page_token: asked })}`).catch(tell);
    if (!page) return;
    if (asked !== token) return token && n === shown.length ? onMore() : null; // what they come after has changed; or they are here
    failure.replaceChildren();
    shown = [...shown, ...runsOf(page)];
    token = page.next_page_token;
    address.keep("runs", String(shown.length));
    showRuns();
  }

  async function readTuners() {
    const seen = await get("/v1/overview?page_size=100");
    for (const one of seen.items) {
      nameOf.set(one.tuner_id, one.name);
      wantedBy.set(one.tuner_id, one.objectives.map(({ metric }) => metric));
    }
    tuners.update(seen.items);
    list?.update(shown); // which names runs by their tuners
    tuners.element.hidden = !seen.items.length;
    others.hidden = !seen.next_page_token;
    tunersPlace.querySelector(".empty")?.remove();
    if (!seen.items.length) tunersPlace.append(h("div", { class: "empty" }, h("p", null, "No tuners yet. Make one from a space of parameters:"),
      command(`curl ${here("/v1/tuners")} -H 'Content-Type: application/json' -d '{"name": "first", "space": {"lr": {"type": "float_range", "min": 1e-4, "max": 1e-1, "log": true}}}'`)));
    return seen.last_event_id;
  }

  /** What failed because nobody answered may do now. */
  const forgive = () => failure.hasChildNodes() && readRuns().catch(tell);

  async function start() {
    unfollow?.();
    shown = shown.slice(0, MOST_AT_ONCE); // of those after them nobody knows whether they are there still
    const [last] = await Promise.all([readTuners(), readRuns()]).catch(() => [null]);
    if (isGone) return;
    if (last === null) return setTimeout(start, 3000);
    unfollow = follow({}, last, hear, start, forgive);
  }

  place.append(h("h1", { class: "hidden" }, "Tuners and runs"), tunersPlace,
    h("section", { class: "card wide" }, h("div", { class: "card-head" }, h("h2", null, "Recent runs"), chooserPlace), form, failure, runsPlace, more));
  const [last] = await Promise.all([readTuners(), readRuns()]); // at once, and named when the tuners are known
  list = null;
  showRuns();
  const all = refresher(() => Promise.all([readTuners(), readRuns()]).catch(() => all.soon(3000)));
  const hear = () => all.soon(1000);
  unfollow = follow({}, last, hear, start, forgive);
  return () => {
    isGone = true;
    all.stop();
    unfollow();
  };
}
