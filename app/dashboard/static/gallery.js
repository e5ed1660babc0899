// Charts of many metrics: found by parts of their names, grouped by what stands before the / in them.

import { arrange, count, h, num } from "./dom.js";

const MANY = 12;
const MOST_SHOWN = 60;

const prefixOf = (name) => (name.includes("/") ? name.slice(0, name.indexOf("/")) : "");

/** How many metrics there are, and were found where they were looked for. */
function sentence(nAll, nFound, isSearch) {
  const found = isSearch ? `${num(nFound)} of ` : "";
  const cut = nFound > MOST_SHOWN ? `; the first ${MOST_SHOWN} are shown` : "";
  return `${found}${count(nAll, "metric")}${cut}`;
}

/**
 * The charts of many metrics.
 *
 * @param {(name: string) => {element: Element, redraw: () => void}} chart - the one of a metric
 * @param {{search: URLSearchParams, keep: Function}} address - where what is looked for is remembered
 * @returns {{element: Element, show: (names: string[]) => void}}
 */
export function gallery(chart, address) {
  const input = h("input", {
    type: "search",
    value: address.search.get("metric") ?? "",
    placeholder: "val loss",
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    oninput,
  });
  const told = h("p", { class: "note", role: "status" });
  const find = h("div", { class: "find" }, h("label", null, "Find metrics", input), told);
  const grids = new Map();
  const folds = new Map();
  const element = h("div", { class: "gallery" });
  const heading = h("h2", { class: "hidden" }, "Charts");
  let all = [];

  const gridOf = (prefix) => grids.get(prefix) ?? grids.set(prefix, h("div", { class: "charts" })).get(prefix);

  /** A grid that can be folded away. */
  function foldOf(prefix) {
    if (!folds.has(prefix)) {
      const summary = h("summary", null, h("h2", null, prefix), " ", h("span", { class: "note" }));
      folds.set(prefix, h("details", { open: true }, summary, gridOf(prefix)));
    }
    return folds.get(prefix);
  }

  function oninput() {
    address.keep("metric", input.value.trim() || null);
    show(all);
  }

  function show(names) {
    all = names;
    const words = input.value.toLowerCase().split(" ").filter(Boolean);
    const found = names.filter((name) => words.every((word) => name.toLowerCase().includes(word)));
    const shown = found.slice(0, MOST_SHOWN);
    const isMany = names.length > MANY || words.length > 0;
    const isGrouped = isMany && new Set(names.map(prefixOf)).size > 1;
    const groups = isGrouped ? Map.groupBy(shown, prefixOf) : new Map([["", shown]]);
    for (const [prefix, some] of groups) {
      const elements = some.map((name) => chart(name).element);
      arrange(gridOf(prefix), elements);
    }
    const prefixes = [...groups.keys()].sort((a, b) => Boolean(a) - Boolean(b)); // those without one first
    const parts = prefixes.map((prefix) => (prefix ? foldOf(prefix) : gridOf("")));
    arrange(element, [...(names.length ? [heading] : []), ...(isMany ? [find] : []), ...parts]);
    for (const prefix of prefixes.filter(Boolean))
      folds.get(prefix).querySelector(".note").textContent = count(groups.get(prefix).length, "metric");
    const text = sentence(names.length, found.length, words.length > 0);
    if (text !== told.textContent) told.textContent = text;
    for (const name of shown) chart(name).redraw();
  }

  return { element, show };
}
