// What there is to compare: the runs that somebody asked for, what each is called, and which is best, in words.

import { get, MOST_COMPARED, query } from "./api.js";
import { count, h, num, trialName } from "./dom.js";
import { cutName } from "./scale.js";

const MOST_NAMED = 3;
const NAME = 60;
const ID = /^[\da-f-]{36}$/;

/** Those of these runs that there are, in their order, each with its tuner. */
export async function existing(ids) {
  const wanted = ids.filter((id) => ID.test(id));
  if (!wanted.length) return [];
  const filter = `run_id in (${wanted.map((id) => JSON.stringify(id)).join()})`;
  const fields = "run_id,tuner_id,last_epoch";
  const { items } = await get(`/v1/runs${query({ filter, fields, page_size: MOST_COMPARED })}`);
  const there = new Map(items.map((run) => [run.run_id, run]));
  return wanted.map((id) => there.get(id)).filter(Boolean);
}

/** The tuners of these runs, by id. */
export async function readTuners(runs) {
  const ids = [...new Set(runs.map((run) => run.tuner_id))].filter(Boolean);
  const tuners = await Promise.all(ids.map((id) => get(`/v1/tuners/${id}`).catch(() => null)));
  return new Map(tuners.filter(Boolean).map((one) => [one.tuner_id, one]));
}

/**
 * What each run is called: by its own name or its trial's number; those that would be called alike also by their ids.
 */
export function namesOf({ run_ids: ids, names, trial_numbers: numbers }, tunerOf) {
  const isOne = new Set(tunerOf.filter(Boolean)).size === 1;
  const trial = (index) => trialName(numbers[index], isOne ? "" : tunerOf[index]?.name);
  const plain = names.map((name, index) => name || (numbers[index] === null ? "" : trial(index)));
  const isAlone = (name) => name && plain.indexOf(name) === plain.lastIndexOf(name);
  return plain.map((name, index) => (isAlone(name) ? name : `${name || "run"} ${ids[index].slice(-8)}`));
}

/** Which way is better, of the metrics that are objectives of these tuners and of no two in opposite ways. */
export function directionsOf(tuners) {
  const directions = new Map();
  for (const { metric, direction } of tuners.flatMap((one) => one.objectives))
    directions.set(metric, [direction, undefined].includes(directions.get(metric)) ? direction : null);
  return directions;
}

/** Of some metrics those first that the tuners are after. */
export const wantedFirst = (metrics, directions) => [...metrics].sort((a, b) => directions.has(b) - directions.has(a));

/** In how many of their parameters the runs differ, in words. */
export function difference(params) {
  const all = Object.values(params);
  const n = all.filter((one) => one.differs).length;
  return `${n} of ${count(all.length, "parameter")} ${n === 1 ? "differs" : "differ"}`;
}

/** The best of some values, where it is known which that is, and they are not all the same. */
export function bestOf(values, direction) {
  const sign = { maximize: 1, minimize: -1 }[direction];
  let best = null;
  for (const one of sign ? values : [])
    if (typeof one === "number" && (best === null || sign * one > sign * best)) best = one;
  return values.every((one) => one === best) ? null : best;
}

/** In words: which of these is best at what their tuners are after; `told`: in how much they differ. */
export function sentence(names, metrics, directions, told) {
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
  const each = bests.map((one) => `${one.metric} ${num(one.best)} in ${one.named}`);
  return `Best of ${runs}: ${each.join(", ")}; ${told}.`;
}

/** What the page does not show of what it was asked for. */
export function missing(asked, ids) {
  const gone = asked.slice(0, MOST_COMPARED).filter((id) => !ids.includes(id));
  const nLeft = asked.length - MOST_COMPARED;
  const left = nLeft === 1 ? "the last one is" : `the last ${num(nLeft)} are`;
  return [
    gone.length > 0 && `No longer there: ${gone.map((id) => `run ${id.slice(-8)}`).join(", ")}.`,
    nLeft > 0 && `At most ${MOST_COMPARED} runs can be compared; ${left} left out.`,
  ]
    .filter(Boolean)
    .map((line) => h("p", { class: "note", role: "status" }, line));
}
