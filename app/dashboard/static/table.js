// A table that sorts, and that changes only the rows that changed.

import { h } from "./dom.js";

const MOST_AT_ONCE = 200;

/**
 * `columns`: {name, sort?(row), cell(row), isNumber?}; `key(row)` is its id; `sign(row)`: what its cells depend on.
 * Answers {element, update(rows)}.
 */
export function table({ caption, columns, key, sign, sorted = null, isDescending = true, isLong = false, rowClass = () => "" }) {
  const body = h("tbody");
  const known = new Map();
  let rows = [], ordered = [], by = sorted, down = isDescending, rowHeight = 37, isFixed = false;
  const heads = columns.map((column) => h("th", { scope: "col", class: column.isNumber ? "number" : "" },
    column.sort ? h("button", { type: "button", class: "sort", onclick: () => turn(column) }, column.name) : column.name));
  const element = h("div", { class: isLong ? "table-frame long" : "table-frame", tabindex: 0, role: "region", "aria-label": caption },
    h("table", null, h("caption", { class: "hidden" }, caption), h("thead", null, h("tr", null, heads)), body));

  function turn(column) {
    down = by === column.name ? !down : Boolean(column.isNumber);
    by = column.name;
    show();
  }

  function show() {
    const column = columns.find((one) => one.name === by);
    columns.forEach((one, index) => one === column ? heads[index].setAttribute("aria-sort", down ? "descending" : "ascending") : heads[index].removeAttribute("aria-sort"));
    const order = column ? [...rows].sort((a, b) => compare(column.sort(a), column.sort(b), down)) : rows;
    ordered = order;
    const kept = new Set(order.map(key));
    for (const id of known.keys()) if (!kept.has(id)) known.delete(id);
    place();
  }

  /** The rows in sight, and empty space for those above and below. */
  function place() {
    const isWindowed = isLong && ordered.length > MOST_AT_ONCE;
    const first = isWindowed ? Math.max(0, Math.floor(element.scrollTop / rowHeight) - 20) : 0;
    const last = isWindowed ? first + Math.ceil(element.clientHeight / rowHeight) + 40 : ordered.length;
    const wanted = ordered.slice(first, last).map(rowOf);
    if (isWindowed) wanted.unshift(gap(first)), wanted.push(gap(Math.max(0, ordered.length - last)));
    if (wanted.length !== body.children.length || wanted.some((one, index) => body.children[index] !== one)) {
      const focused = document.activeElement;
      body.replaceChildren(...wanted);
      if (body.contains(focused)) focused.focus({ preventScroll: true });
    }
    if (isWindowed && !isFixed && element.clientWidth) {
      rowHeight = body.children[1].offsetHeight;
      heads.map((head) => head.offsetWidth).forEach((width, index) => { heads[index].style.width = `${width}px`; });
      element.classList.add("fixed");
      isFixed = true;
    }
    element.firstChild.setAttribute("aria-rowcount", ordered.length + 1);
  }

  function rowOf(row) {
    const id = key(row), mark = sign(row), old = known.get(id);
    if (old?.mark === mark) return old.element;
    const fresh = h("tr", { class: rowClass(row), "data-key": id }, columns.map((one) => h("td", { class: one.isNumber ? "number" : "" }, one.cell(row))));
    known.set(id, { mark, element: fresh });
    return fresh;
  }

  const gap = (n) => h("tr", { class: "gap", "aria-hidden": true }, h("td", { colspan: columns.length, style: { height: `${n * rowHeight}px` } }));

  if (isLong) element.addEventListener("scroll", () => ordered.length > MOST_AT_ONCE && requestAnimationFrame(place), { passive: true });

  return { element, forget: () => known.clear(), update(next) { rows = next; show(); } };
}

/** What is missing, or no number, comes last either way. */
function compare(a, b, down) {
  const isBad = (value) => value === null || value === undefined || value === "NaN";
  if (isBad(a) || isBad(b)) return isBad(a) - isBad(b);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return down ? -order : order;
}
