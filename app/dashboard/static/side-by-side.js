// The table of a comparison: a column for each run; a row for each parameter and for the latest value of each metric.

import { bestOf, wantedFirst } from "./comparison.js";
import { fill, h, num } from "./dom.js";
import { styleOf, swatch } from "./lines.js";

const precise = (value) => num(value, 6);

const cell = (value, isBest) =>
  isBest
    ? h("td", { class: "number top", title: "The best of these" }, h("strong", null, precise(value)))
    : h("td", { class: "number", title: typeof value === "string" ? value : null }, precise(value));

const line = (name, values, differs, best = null) =>
  h(
    "tr",
    { class: differs ? "differs" : "same" },
    h("th", { scope: "row", class: "lead", title: name }, name),
    values.map((value) => cell(value, best !== null && value === best)),
  );

const runHead = ({ name, href }, index) =>
  h("th", { scope: "col", class: "number" }, swatch(styleOf(index)), h("a", { href }, name));

/**
 * The table of these runs.
 *
 * @param {{name: string, href: string}[]} runs
 * @param {Object} params - by name: {values, one of each run; differs}
 * @param {Map} directions - which way is better, by metric
 * @returns {{element: Element, show: (metrics: Object) => void}} - show: the metrics as they are now
 */
export function sideBySide(runs, params, directions) {
  const metricsNow = h("tbody");
  const lead = (title) =>
    h("tr", null, h("th", { scope: "rowgroup", colspan: runs.length + 1, class: "group" }, title));
  const part = (title, entries) =>
    h(
      "tbody",
      null,
      lead(title),
      entries.map(([name, one]) => line(name, one.values, one.differs)),
    );
  const differing = Object.entries(params).filter(([, one]) => one.differs);
  const equal = Object.entries(params).filter(([, one]) => !one.differs);
  const corner = h("th", { scope: "col", class: "lead" }, h("span", { class: "hidden" }, "Name"));
  const head = h("thead", null, h("tr", null, corner, runs.map(runHead)));
  const element = h(
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
        part("Parameters that differ", differing),
        metricsNow,
        equal.length > 0 && part("Parameters that are equal", equal),
      ),
    ),
  );

  function show(metrics) {
    const lines = wantedFirst(Object.keys(metrics), directions).map((name) => {
      const { latest } = metrics[name];
      return line(name, latest, false, bestOf(latest, directions.get(name)));
    });
    fill(metricsNow, lead("Metrics, latest"), ...lines);
  }

  return { element, show };
}
