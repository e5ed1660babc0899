// Charts of many metrics: found by parts of their names, grouped by what stands before the / in them.

import { count, h, num } from "./dom.js";

const MANY = 12;
const MOST_SHOWN = 60;

const prefixOf = (name) => (name.includes("/") ? name.slice(0, name.indexOf("/")) : "");

/** Make these the children of a place; what is at its place already keeps the focus. */
function arrange(place, wanted) {
  const kept = new Set(wanted);
  for (const one of [...place.children]) if (!kept.has(one)) one.remove();
  wanted.forEach(
    (one, index) => place.children[index] !== one && place.insertBefore(one, place.children[index] ?? null),
  );
}

/** `chart(name)`: the one of a metric, {element, redraw}. Answers {element, show(names)}. */
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
    if (!folds.has(prefix))
      folds.set(
        prefix,
        h(
          "details",
          { open: true },
          h("summary", null, h("h2", null, prefix), " ", h("span", { class: "note" })),
          gridOf(prefix),
        ),
      );
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
    const groups = Map.groupBy(shown, prefixOf);
    const isMany = names.length > MANY || words.length > 0;
    const isGrouped = isMany && new Set(names.map(prefixOf)).size > 1;
    for (const [prefix, ofIt] of isGrouped ? groups : [["", shown]])
      arrange(
        gridOf(prefix),
        ofIt.map((name) => chart(name).element),
      );
    const order = isGrouped ? [...groups.keys()].sort((a, b) => Boolean(a) - Boolean(b)) : [""];
    arrange(element, [
      ...(names.length ? [heading] : []),
      ...(isMany ? [find] : []),
      ...order.map((prefix) => (prefix ? foldOf(prefix) : gridOf(""))),
    ]);
    for (const prefix of order.filter(Boolean))
      folds.get(prefix).querySelector(".note").textContent = count(groups.get(prefix).length, "metric");
    const text = `${words.length ? `${num(found.length)} of ` : ""}${count(names.length, "metric")}${found.length > MOST_SHOWN ? `; the first ${MOST_SHOWN} are shown` : ""}`;
    if (text !== told.textContent) told.textContent = text;
    for (const name of shown) chart(name).redraw();
  }

  return { element, show };
}
