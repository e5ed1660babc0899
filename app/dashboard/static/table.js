// A table that sorts, whose columns can be chosen, and that changes only the rows that changed.

import { focusable, h, scoresOf } from "./dom.js";

const MOST_AT_ONCE = 200;

// On paper nobody scrolls. Told to those that are in the page: a listener of each would keep it for ever.
let isPrinting = false;
for (const type of ["beforeprint", "afterprint"])
  addEventListener(type, () => {
    isPrinting = type === "beforeprint";
    document.querySelectorAll(".table-frame").forEach((one) => one.dispatchEvent(new Event("place")));
  });

/**
 * `columns`: {name, said? (where no name is shown), id?, sort?(row), cell(row, scores), isNumber?, isScore?, isNarrow?, isAside? (a phone shows it within another), isLead? (a number that stays in sight), isHead? (says what the row is of), isHidden?}; `key(row)` is its id; `sign(row)`: what its cells depend on.
 * `scores` writes the scores of a column, which are what it is sorted by. `address` ({search, keep}): where order and choice are remembered; `onTurn(column, isDescending)` hears of a new order.
 * Answers {element, chooser, forget, update(rows), recast(columns)}, of which the last one is for others than before, shown with the next update.
 */
export function table({
  caption,
  columns,
  key,
  sign,
  sorted = null,
  isDescending = true,
  rowClass = () => "",
  address = null,
  onTurn = () => null,
}) {
  const kind = (column) =>
    column.isScore
      ? "number score"
      : column.isLead
        ? "number lead"
        : column.isNumber
          ? "number"
          : column.isNarrow
            ? "narrow"
            : column.isAside
              ? "aside"
              : null;
  const idOf = (column) => column.id ?? column.name;
  const body = h("tbody");
  const headRow = h("tr", { "aria-rowindex": 1 });
  const known = new Map();
  const heads = new Map();
  const writers = new Map();
  const wanted = address?.search.get("sort");
  let rows = [];
  let ordered = [];
  let rowHeight = 37;
  let isFixed = false;
  let seen = [];
  let usual = [];
  let shown = new Set();
  let [by, down] = wanted ? [wanted.replace(/^-/, ""), wanted.startsWith("-")] : [sorted, isDescending];
  const element = h(
    "div",
    { class: "table-frame", tabindex: 0, role: "region", "aria-label": caption },
    h("table", null, h("caption", { class: "hidden" }, caption), h("thead", null, headRow), body),
  );

  function recast(next) {
    columns = next;
    usual = columns.filter((one) => !one.isHidden).map(idOf);
    shown = new Set(listOf(address?.search.get("columns")) ?? usual);
    menu.replaceChildren(
      ...columns
        .filter((one) => one.name)
        .map((column) =>
          h(
            "label",
            null,
            h("input", {
              type: "checkbox",
              checked: shown.has(idOf(column)),
              onchange: (event) => choose(column, event.target.checked),
            }),
            column.name,
          ),
        ),
    );
    writers.clear();
    dress();
  }

  function dress() {
    const held = seen.find((one) => heads.get(one)?.contains(document.activeElement));
    seen = columns.filter((one) => !one.name || shown.has(idOf(one)));
    heads.clear();
    known.clear();
    for (const column of seen)
      heads.set(
        column,
        h(
          "th",
          { scope: "col", class: kind(column) },
          column.sort
            ? h("button", { type: "button", class: "sort", onclick: () => turn(column) }, column.name)
            : column.name || h("span", { class: "hidden" }, column.said),
        ),
      );
    headRow.replaceChildren(...heads.values());
    element.classList.remove("fixed");
    isFixed = false;
    if (held)
      (heads.get(seen.find((one) => idOf(one) === idOf(held)))?.querySelector("button") ?? element).focus({
        preventScroll: true,
      });
  }

  function turn(column) {
    down = by === idOf(column) ? !down : Boolean(column.isNumber);
    by = idOf(column);
    address?.keep("sort", `${down ? "-" : ""}${by}`);
    element.scrollTop = 0;
    show();
    onTurn(column, down);
  }

  function show() {
    const column = columns.find((one) => idOf(one) === by && one.sort);
    for (const [one, head] of heads)
      one === column
        ? head.setAttribute("aria-sort", down ? "descending" : "ascending")
        : head.removeAttribute("aria-sort");
    ordered = column
      ? rows
          .map((row) => [column.sort(row), row])
          .sort(([a], [b]) => compare(a, b, down))
          .map(([, row]) => row)
      : rows;
    const kept = new Set(ordered.map(key));
    for (const one of seen.filter(({ isScore }) => isScore)) {
      const writer = scoresOf(rows.map(one.sort));
      if (writer.form !== writers.get(one)?.form) known.clear();
      writers.set(one, writer);
    }
    for (const id of known.keys()) if (!kept.has(id)) known.delete(id);
    place();
  }

  /** The rows in sight, and empty space for those above and below. */
  function place() {
    const isWindowed = ordered.length > MOST_AT_ONCE && !isPrinting;
    element.classList.toggle("long", isWindowed);
    const first = isWindowed ? Math.max(0, Math.floor(element.scrollTop / rowHeight) - 20) : 0;
    const last = isWindowed ? first + Math.ceil((element.clientHeight || 800) / rowHeight) + 40 : ordered.length;
    const wanted = ordered.slice(first, last).map(rowOf);
    wanted.forEach((one, index) => one.setAttribute("aria-rowindex", first + index + 2)); // of a window on them nobody could count them
    if (isWindowed) (wanted.unshift(gap(first)), wanted.push(gap(Math.max(0, ordered.length - last))));
    if (wanted.length !== body.children.length || wanted.some((one, index) => body.children[index] !== one)) {
      const focused = document.activeElement;
      const row = body.contains(focused) ? focused.closest("tr") : null;
      const nth = row ? focusable(row).indexOf(focused) : -1;
      body.replaceChildren(...wanted);
      if (row)
        (body.contains(row) ? focused : focusable(known.get(row.dataset.key)?.element)[nth])?.focus({
          preventScroll: true,
        });
    }
    if (isWindowed && !isFixed && element.clientWidth) {
      rowHeight = body.children[1].offsetHeight;
      const widths = [...heads.values()].map((head) => head.offsetWidth);
      [...heads.values()].forEach((head, index) => {
        head.style.width = `${widths[index]}px`;
      });
      element.classList.add("fixed");
      isFixed = true;
    }
    element.firstChild.setAttribute("aria-rowcount", ordered.length + 1);
  }

  function rowOf(row) {
    const id = key(row);
    const mark = sign(row);
    const old = known.get(id);
    if (old?.mark === mark) return old.element;
    const fresh = h(
      "tr",
      { class: rowClass(row), "data-key": id },
      seen.map((one) =>
        h(one.isHead ? "th" : "td", { scope: one.isHead && "row", class: kind(one) }, one.cell(row, writers.get(one))),
      ),
    );
    known.set(id, { mark, element: fresh });
    return fresh;
  }

  const gap = (n) =>
    h(
      "tr",
      { class: "gap", "aria-hidden": true },
      h("td", { colspan: seen.length, style: { height: `${n * rowHeight}px` } }),
    );

  function choose(column, isShown) {
    isShown ? shown.add(idOf(column)) : shown.delete(idOf(column));
    const ids = columns.map(idOf).filter((one) => shown.has(one));
    address?.keep("columns", ids.join() === usual.join() ? null : JSON.stringify(ids));
    dress();
    show();
  }

  const summary = h("summary", { class: "button" }, "Columns");
  const menu = h("div", { class: "menu", role: "group", "aria-label": `Columns of ${caption}` });
  const chooser = h("details", { class: "chooser" }, summary, menu);
  const shut = () => {
    chooser.open = false;
  };
  chooser.addEventListener("keydown", (event) => event.key === "Escape" && (shut(), summary.focus()));
  chooser.addEventListener(
    "focusout",
    (event) => event.relatedTarget && !chooser.contains(event.relatedTarget) && shut(),
  );

  element.addEventListener("place", place);
  element.addEventListener("scroll", () => ordered.length > MOST_AT_ONCE && requestAnimationFrame(place), {
    passive: true,
  });
  recast(columns);
  return {
    element,
    chooser,
    recast,
    forget: () => known.clear(),
    update(next) {
      rows = next;
      show();
    },
  };
}

/** What was remembered as a list of texts, or null. */
function listOf(text) {
  try {
    const list = JSON.parse(text ?? "null");
    return Array.isArray(list) ? list.map(String) : null;
  } catch {
    return null;
  }
}

const collator = new Intl.Collator("en", { numeric: true });

const SPELLED = new Map([
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

/** What is missing, or no number, comes last either way. */
function compare(a, b, down) {
  const isBad = (value) => value === null || value === undefined || value === "NaN";
  if (isBad(a) || isBad(b)) return isBad(a) - isBad(b);
  const [x, y] = [a, b].map((value) => SPELLED.get(value) ?? value);
  const order =
    typeof x === "number" && typeof y === "number" ? (x > y) - (x < y) : collator.compare(String(a), String(b));
  return down ? -order : order;
}
