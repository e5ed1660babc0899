// A table that sorts, whose columns can be chosen, and that changes only the rows that changed.

import { arrange, fill, focusable, h, scoresOf } from "./dom.js";

const MOST_AT_ONCE = 200;
const AROUND = 20;

// On paper nobody scrolls. Told to those that are in the page: a listener of each would keep it for ever.
let isPrinting = false;
for (const type of ["beforeprint", "afterprint"])
  addEventListener(type, () => {
    isPrinting = type === "beforeprint";
    document.querySelectorAll(".table-frame").forEach((one) => one.dispatchEvent(new Event("place")));
  });

/**
 * @typedef {object} Column
 * @property {string} name its head; one without is always shown
 * @property {string} [said] what its head says where no name is shown
 * @property {string} [id] what it is remembered by, if not the name
 * @property {(row) => *} [sort] the value that rows are sorted by
 * @property {(row, scores) => *} cell what it shows of a row; `scores` writes the scores of a column, which are what it
 *   is sorted by
 * @property {boolean} [isNumber]
 * @property {boolean} [isScore]
 * @property {boolean} [isNarrow]
 * @property {boolean} [isAside] a phone shows it within another
 * @property {boolean} [isLead] a number that stays in sight
 * @property {boolean} [isHead] says what the row is of
 * @property {boolean} [isHidden] until it is chosen
 */

/**
 * Answers:
 * - `element`
 * - `chooser`: the menu of columns
 * - `update(rows)`
 * - `recast(columns)`: others than before, shown with the next update
 * - `forget()`: make all rows anew with the next update
 *
 * @param {string} caption
 * @param {Column[]} columns
 * @param {(row) => *} key its id
 * @param {(row) => *} sign what its cells depend on
 * @param {string|null} sorted the id of the column to sort by at first
 * @param {boolean} isDescending at first
 * @param {(row) => string} rowClass
 * @param {{search: URLSearchParams, keep: Function}|null} address where order and choice are remembered
 * @param {(column, isDescending) => void} onTurn hears of a new order
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
  const body = h("tbody");
  const headRow = h("tr", { "aria-rowindex": 1 });
  const known = new Map();
  const heads = new Map();
  const writers = new Map();
  const remembered = address?.search.get("sort");
  let rows = [];
  let ordered = [];
  let rowHeight = 37;
  let isFixed = false;
  let seen = [];
  let usual;
  let shown;
  let [by, down] = remembered ? [remembered.replace(/^-/, ""), remembered.startsWith("-")] : [sorted, isDescending];
  const element = h(
    "div",
    { class: "table-frame", tabindex: 0, role: "region", "aria-label": caption },
    h("table", null, h("caption", { class: "hidden" }, caption), h("thead", null, headRow), body),
  );
  const above = gapRow();
  const below = gapRow();
  const menu = columnMenu(caption, choose);

  function recast(next) {
    columns = next;
    usual = columns.filter((one) => !one.isHidden).map(idOf);
    shown = new Set(listOf(address?.search.get("columns")) ?? usual);
    menu.offer(columns, shown);
    writers.clear();
    dress();
  }

  /** Make the heads of the columns that are shown; one that had the focus has it again. */
  function dress() {
    const held = seen.find((one) => heads.get(one)?.contains(document.activeElement));
    seen = columns.filter((one) => !one.name || shown.has(idOf(one)));
    heads.clear();
    known.clear();
    for (const column of seen) heads.set(column, headOf(column, turn));
    headRow.replaceChildren(...heads.values());
    element.classList.remove("fixed");
    isFixed = false;
    if (!held) return;
    const again = heads.get(seen.find((one) => idOf(one) === idOf(held)));
    (again?.querySelector("button") ?? element).focus({ preventScroll: true });
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
      if (one === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    ordered = column ? inOrder(rows, column.sort, down) : rows;
    for (const one of seen.filter(({ isScore }) => isScore)) {
      const writer = scoresOf(rows.map(one.sort));
      if (writer.form !== writers.get(one)?.form) for (const row of known.values()) row.mark = null;
      writers.set(one, writer);
    }
    const kept = new Set(ordered.map(key));
    for (const id of known.keys()) if (!kept.has(id)) known.delete(id);
    place();
  }

  /** The rows from one on, numbered, as of a window on them nobody could count them. */
  function rowsFrom(first, last) {
    const some = ordered.slice(first, last).map(rowOf);
    some.forEach((one, index) => one.setAttribute("aria-rowindex", first + index + 2));
    return some;
  }

  /** The rows in sight, and empty space for those above and below. */
  function place() {
    const isWindowed = ordered.length > MOST_AT_ONCE && !isPrinting;
    element.classList.toggle("long", isWindowed);
    if (isWindowed) {
      const first = Math.max(0, Math.floor(element.scrollTop / rowHeight) - AROUND);
      const last = first + Math.ceil((element.clientHeight || 800) / rowHeight) + 2 * AROUND;
      stretch(above, first * rowHeight, seen.length);
      stretch(below, Math.max(0, ordered.length - last) * rowHeight, seen.length);
      putRows([above, ...rowsFrom(first, last), below]);
    } else putRows(rowsFrom(0));
    if (isWindowed && !isFixed && element.clientWidth) {
      rowHeight = body.children[1].offsetHeight;
      fixWidths([...heads.values()]);
      element.classList.add("fixed");
      isFixed = true;
    }
    element.firstChild.setAttribute("aria-rowcount", ordered.length + 1);
  }

  /** Make these the rows; the focus stays in its row, at the same place where that was made anew. */
  function putRows(wanted) {
    const focused = document.activeElement;
    const row = body.contains(focused) ? focused.closest("tr") : null;
    const nth = row ? focusable(row).indexOf(focused) : -1;
    arrange(body, wanted);
    if (!row) return;
    const again = body.contains(row) ? focused : focusable(known.get(row.dataset.key)?.element)[nth];
    again?.focus({ preventScroll: true });
  }

  /** Its element; of one that has changed the cells that have. */
  function rowOf(row) {
    const id = key(row);
    const mark = sign(row);
    const old = known.get(id);
    if (old?.mark === mark) return old.element;
    const element = old?.element ?? h("tr", { "data-key": id });
    element.className = rowClass(row);
    fill(element, ...seen.map((one) => cellOf(one, row)));
    known.set(id, { mark, element });
    return element;
  }

  function cellOf(column, row) {
    const { isHead } = column;
    const attributes = { scope: isHead && "row", class: kindOf(column) };
    return h(isHead ? "th" : "td", attributes, column.cell(row, writers.get(column)));
  }

  function choose(column, isShown) {
    if (isShown) shown.add(idOf(column));
    else shown.delete(idOf(column));
    const ids = columns.map(idOf).filter((one) => shown.has(one));
    address?.keep("columns", ids.join() === usual.join() ? null : JSON.stringify(ids));
    dress();
    show();
  }

  function update(next) {
    rows = next;
    show();
  }

  const onscroll = () => ordered.length > MOST_AT_ONCE && requestAnimationFrame(place);
  element.addEventListener("place", place);
  element.addEventListener("scroll", onscroll, { passive: true });
  recast(columns);
  return { element, chooser: menu.element, recast, forget: () => known.clear(), update };
}

const idOf = (column) => column.id ?? column.name;

/** The class of its cells. */
function kindOf(column) {
  if (column.isScore) return "number score";
  if (column.isLead) return "number lead";
  if (column.isNumber) return "number";
  if (column.isNarrow) return "narrow";
  return column.isAside ? "aside" : null;
}

const headOf = (column, turn) =>
  h(
    "th",
    { scope: "col", class: kindOf(column) },
    column.sort
      ? h("button", { type: "button", class: "sort", onclick: () => turn(column) }, column.name)
      : column.name || h("span", { class: "hidden" }, column.said),
  );

/** Stands for the rows above those in sight, or below. */
const gapRow = () => h("tr", { class: "gap", "aria-hidden": true }, h("td"));

function stretch(gap, height, nColumns) {
  const cell = gap.firstChild;
  cell.setAttribute("colspan", nColumns);
  cell.style.height = `${height}px`;
}

/** All are measured before the first is changed. */
function fixWidths(heads) {
  const widths = heads.map((head) => head.offsetWidth);
  heads.forEach((head, index) => {
    head.style.width = `${widths[index]}px`;
  });
}

/** A menu to choose columns in: {element, offer}. `choose(column, isShown)` hears of each choice. */
function columnMenu(caption, choose) {
  const summary = h("summary", { class: "button" }, "Columns");
  const menu = h("div", { class: "menu", role: "group", "aria-label": `Columns of ${caption}` });
  const element = h("details", { class: "chooser" }, summary, menu);
  const shut = () => {
    element.open = false;
  };
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    shut();
    summary.focus();
  });
  element.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !element.contains(event.relatedTarget)) shut();
  });

  function offer(columns, shown) {
    const choice = (column) => {
      const onchange = (event) => choose(column, event.target.checked);
      const box = h("input", { type: "checkbox", checked: shown.has(idOf(column)), onchange });
      return h("label", null, box, column.name);
    };
    menu.replaceChildren(...columns.filter((one) => one.name).map(choice));
  }

  return { element, offer };
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

const inOrder = (rows, valueOf, down) =>
  rows
    .map((row) => [valueOf(row), row])
    .sort(([a], [b]) => compare(a, b, down))
    .map(([, row]) => row);

/** What is missing, or no number, comes last either way. */
function compare(a, b, down) {
  const isBad = (value) => value === null || value === undefined || value === "NaN";
  if (isBad(a) || isBad(b)) return isBad(a) - isBad(b);
  const [x, y] = [a, b].map((value) => SPELLED.get(value) ?? value);
  const order =
    typeof x === "number" && typeof y === "number" ? (x > y) - (x < y) : collator.compare(String(a), String(b));
  return down ? -order : order;
}
