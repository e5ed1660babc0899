// What every chart has around it: a title, a tooltip, keys, zoom by dragging and pinching, a table of its data,
// downloads.

import { away } from "./api.js";
import { fill, h, hide, num, s } from "./dom.js";
import { colourOf } from "./scale.js";

const LOOKS = { log: ["Log", "on a log scale"], smooth: ["Smooth", "smooth"] };
const MOST_ROWS = 1000;
const LEAST_PX = 20;
const TELL_MS = 250;
const BUDGET_MS = 6;
const MOST_DENSITY = 2;
const REACH_PX = 40;
const TIP_PX = 30;
const STILL_PX = 8;

// One queue for all charts: a frame draws as many as leave it time for everything else, the next one goes on.
const waiting = new Set();
let frame = 0;
let isPrinting = false;

/** Let this be painted in a frame to come, once, however often it is asked for. */
function paintSoon(paint) {
  waiting.add(paint);
  frame ||= requestAnimationFrame(() => work(BUDGET_MS));
}

function work(most) {
  frame = 0;
  const start = performance.now();
  for (const paint of waiting) {
    waiting.delete(paint);
    paint();
    if (performance.now() - start > most) break;
  }
  if (waiting.size) frame ||= requestAnimationFrame(() => work(BUDGET_MS));
}

// Paper has no frames, and shows what nobody has scrolled to.
addEventListener("beforeprint", () => {
  isPrinting = true;
  work(Infinity);
});
addEventListener("afterprint", () => {
  isPrinting = false;
});

// Told to those that are in the page: a listener of each would keep it, and all that it draws, for ever.
addEventListener("redraw", () =>
  document.querySelectorAll("figure").forEach((one) => one.dispatchEvent(new Event("redraw"))),
);

/**
 * What `draw(width, height, zoom, before, looks)` answers: `before` is the plot that is shown, `zoom` [low, high] or
 * null, `looks` the keys of LOOKS that are chosen.
 *
 * @typedef {object} Plot
 * @property {Array} nodes SVG elements, which stay while `key` stays the same
 * @property {string} [key] what the nodes depend on
 * @property {Array} [over] SVG elements that are laid upon the nodes, and made anew each time
 * @property {Function} [x] the scale across (see scale.js); without one there is no zoom
 * @property {Function} [y] the scale upwards
 * @property {[number, number]} [full] what `x` shows without zoom
 * @property {() => Mark[]} [marks] the places that the pointer and the arrow keys go to
 * @property {string[]} [offers] the keys of LOOKS that it may be drawn with
 * @property {(context) => (Iterator|void)} [paint] draws on a canvas below the SVG where there is too much for elements
 * @property {boolean} [isLong] painting takes long, so that `paint` is a generator, of parts
 * @property {(context, before) => boolean} [grow] adds what is new to a picture of the same key, or answers false
 * @property {() => SVGElement[]} [vector] draws what is painted as SVG, for the download
 *
 * @typedef {object} Mark
 * @property {string|number} key of what it is, the same in the next picture
 * @property {number} x
 * @property {number} y
 * @property {string|string[]|Function} text its lines, or what makes them
 * @property {string} [href] what it opens
 */

/**
 * A chart: {element, redraw}.
 *
 * @param {string} title
 * @param {string|(() => string)} note beside the title: a text, or what makes it
 * @param {string} file what downloads are called, and what the address remembers of it
 * @param {number} height the least, in pixels
 * @param {(width, height, zoom, before, looks) => Plot} draw
 * @param {() => {columns: string[], rows: Array[]}} rows its data
 * @param {() => string} describe what it shows, in words
 * @param {boolean} canZoom
 * @param {boolean} wide takes a row of its own
 * @param {number} minWidth in pixels; where there is less room, it scrolls
 * @param {string} role of the picture; within "img" nobody finds controls
 * @param {{search: URLSearchParams, keep: Function}|null} address where its zoom and looks are remembered
 */
export function figure({
  title,
  note = "",
  file,
  height = 260,
  draw,
  rows,
  describe,
  canZoom = false,
  wide = false,
  minWidth = 0,
  role = "img",
  address = null,
}) {
  const titleNode = s("title");
  const base = s("g");
  const over = s("g");
  const pointer = s("g");
  const svg = s("svg", { class: "plot", tabindex: 0, role }, titleNode, base, over, pointer);
  const canvas = h("canvas", { class: "lines", "aria-hidden": true });
  const tip = h("div", { class: "tip", hidden: true });
  const voice = h("p", { class: "hidden", role: "status" });
  const stage = h(
    "div",
    { class: minWidth ? "stage broad" : "stage", style: { "min-height": `${height}px` } },
    canvas,
    svg,
    tip,
    voice,
  );
  const table = h("div", {
    class: "chart-table",
    hidden: true,
    tabindex: 0,
    role: "region",
    "aria-label": `${title}, as a table`,
  });
  // What the modules of its parts see of it; `room` is that of the stage, in pixels.
  const chart = { svg, pointer, tip, voice, height, canZoom, plot: null, zoom: null, room: [0, 0] };
  const marks = marksOf(chart);
  const { button: reset, zoomTo } = zoomOf(chart, marks, { file, address, redraw });
  const toggle = quiet({ "aria-label": `${title} as a table`, "aria-pressed": "false", onclick: flip }, "Table");
  const looks = lookSwitches({ title, file, address, redraw });
  const noteText = h("span", { class: "note" }, typeof note === "string" ? note : "");
  const element = h(
    "figure",
    { class: wide ? "card wide" : "card" },
    h(
      "figcaption",
      null,
      h("h3", { title }, title),
      noteText,
      h("span", { class: "chart-tools" }, reset, looks.buttons, toggle, downloads(chart, { title, file, rows })),
    ),
    stage,
    table,
  );
  let isLate = false;
  let isSeen = false;
  let isStale = false;
  let nDrawn = 0;
  const picture = pictureOn(canvas, base, () => {
    if (isLate) redraw();
    isLate = false;
  });

  function redraw() {
    paintSoon(redrawNow);
  }

  function redrawNow() {
    if (!element.isConnected) return;
    tellSoon();
    if (!table.hidden) return;
    isStale = !isSeen && !isPrinting;
    if (isStale || chart.room[0] < LEAST_PX) return;
    if (picture.isBusy()) return void (isLate = true); // first let it be finished
    const before = chart.plot;
    const size = [Math.max(chart.room[0], minWidth), Math.max(chart.room[1], height)];
    const plot = draw(...size, chart.zoom, before, looks.chosen);
    chart.plot = plot;
    looks.show(plot.offers);
    const isSame = hasNodesOf(plot, before) && hasSize(svg, size);
    if (!isSame) replaceNodes(svg, base, plot, size);
    over.replaceChildren(...elementsIn(plot.over ?? []));
    if (plot.paint) picture.paint(plot, isSame ? before : null, size);
    canvas.hidden = !plot.paint;
    marks.renew();
    element.dataset.drawn = ++nDrawn;
  }

  const tellSoon = seldom(() => {
    if (!element.isConnected) return;
    const text = `${title}. ${describe()}`;
    if (typeof note === "function") noteText.textContent = note();
    if (text !== titleNode.textContent) {
      titleNode.textContent = text;
      svg.setAttribute("aria-label", text);
    }
    if (!table.hidden) fillTable(table, title, rows());
  });

  function flip() {
    const isTable = table.hidden;
    table.hidden = !isTable;
    stage.hidden = isTable;
    toggle.setAttribute("aria-pressed", String(isTable));
    if (isTable) fillTable(table, title, rows());
    else redraw();
  }

  listenToPointers(chart, marks, zoomTo);
  listenToKeys(chart, marks, zoomTo);
  // What nobody sees is drawn when somebody does.
  new IntersectionObserver(
    (entries) => {
      isSeen = entries.at(-1).isIntersecting;
      if (isSeen && (isStale || !chart.plot)) redraw();
    },
    { rootMargin: "300px" },
  ).observe(element);
  new ResizeObserver(([{ contentRect }]) => {
    chart.room = [Math.floor(contentRect.width), Math.floor(contentRect.height)];
    redraw();
  }).observe(stage);
  element.addEventListener("redraw", () => {
    chart.plot = null; // its colours are of yesterday
    redraw();
  });
  return { element, redraw };
}

const quiet = (attributes, word) => h("button", { type: "button", class: "quiet", ...attributes }, word);

const elementsIn = (nodes) => nodes.flat(Infinity).filter(Boolean);

const hasNodesOf = (plot, before) => before && plot.key !== undefined && plot.key === before.key;

const hasSize = (svg, [width, height]) =>
  Number(svg.getAttribute("width")) === width && Number(svg.getAttribute("height")) === height;

/** Buttons for the ways in which a plot offers to be drawn; those that are pressed are remembered in the address. */
function lookSwitches({ title, file, address, redraw }) {
  const remembered = address?.search.get(`look.${file}`)?.split(" ");
  const chosen = new Set(remembered?.filter((key) => Object.hasOwn(LOOKS, key)));
  const buttons = new Map();
  for (const [key, [word, way]] of Object.entries(LOOKS))
    buttons.set(key, quiet({ hidden: true, "aria-label": `${title} ${way}`, onclick: () => flip(key) }, word));

  function flip(key) {
    chosen.delete(key) || chosen.add(key);
    address?.keep(`look.${file}`, [...chosen].join(" ") || null);
    redraw();
  }

  function show(offers) {
    for (const [key, button] of buttons) {
      button.hidden = !chosen.has(key) && !offers?.includes(key);
      button.setAttribute("aria-pressed", String(chosen.has(key)));
    }
  }

  return { chosen, buttons: [...buttons.values()], show };
}

/** Draw another picture; an axis that had the focus has it again. */
function replaceNodes(svg, base, plot, [width, tall]) {
  svg.setAttribute("viewBox", `0 0 ${width} ${tall}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", tall);
  svg.classList.toggle("painted", Boolean(plot.paint));
  const axis = base.contains(document.activeElement) ? document.activeElement.dataset.axis : null;
  base.replaceChildren(...elementsIn(plot.nodes));
  if (axis === null) return;
  const axes = [...base.querySelectorAll("[data-axis]")];
  axes.find((one) => one.dataset.axis === axis)?.focus({ preventScroll: true });
}

/** What does this as soon as it is asked to, and then a few times a second: enough for words, and for tables. */
function seldom(act) {
  let timer = null;
  let pause = 0;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      act();
      pause = TELL_MS;
    }, pause);
  };
}

/** Buttons; without a picture there is nothing to keep. */
function downloads(chart, { title, file, rows }) {
  const button = (name, save) => {
    const onclick = () =>
      chart.plot &&
      import("./keep.js")
        .catch(away)
        .then(save)
        .catch((error) => alert(error.message));
    return quiet({ "aria-label": `${title} as ${name}`, onclick }, name);
  };
  return [
    button("CSV", (keep) => keep.saveCsv(file, rows())),
    button("SVG", (keep) => keep.saveSvg(file, chart.svg, chart.plot)),
    button("PNG", (keep) => keep.savePng(file, chart.svg, chart.plot)),
  ];
}

/**
 * Let a place have the data of a chart for those who want to read it: as many rows as a page bears. Those that are
 * there already stay, with what is selected in them.
 */
function fillTable(place, title, { columns, rows }) {
  if (!place.firstChild) {
    const caption = h("caption", { class: "hidden" }, title);
    place.append(h("table", null, caption, h("thead"), h("tbody")), h("p", { class: "note" }));
  }
  const [head, body, cutNote] = place.querySelectorAll("thead, tbody, .note");
  const cell = (value) => h("td", { class: typeof value === "number" ? "number" : "" }, num(value, 6));
  fill(
    head,
    h(
      "tr",
      null,
      columns.map((name) => h("th", { scope: "col" }, name)),
    ),
  );
  fill(body, ...rows.slice(0, MOST_ROWS).map((row) => h("tr", null, row.map(cell))));
  cutNote.hidden = rows.length <= MOST_ROWS;
  cutNote.textContent = `The first ${num(MOST_ROWS)} of ${num(rows.length)} rows; the CSV has them all.`;
}

/** What to draw where there is nothing yet. */
export const nothing = (width, height, text) => ({
  nodes: [s("text", { class: "nothing", x: width / 2, y: height / 2, "text-anchor": "middle" }, text)],
});

// ------------------------------------------------------------------------------------------------- the marks of a plot

/**
 * The marks of the plot that a chart shows.
 *
 * @param chart {plot, room, height, tip, voice, pointer}
 */
function marksOf(chart) {
  const { tip, voice, pointer, height } = chart;
  let found = null;
  let at = -1;

  /** Asked of the plot no sooner than somebody looks for them. */
  const all = () => (found ??= chart.plot?.marks?.() ?? []);

  /** Which one is within reach of a place; -1 where none is. */
  function nearest([x, y]) {
    let best = -1;
    let least = REACH_PX ** 2;
    all().forEach((mark, index) => {
      const distance = (mark.x - x) ** 2 + (mark.y - y) ** 2;
      if (distance < least) [best, least] = [index, distance];
    });
    return best;
  }

  /** Point at this one; at none where there is none. */
  function point(index, isTouch = false) {
    const mark = all()[index];
    at = mark ? index : -1;
    tip.hidden = !mark;
    pointer.replaceChildren();
    if (!mark) return;
    tip.replaceChildren(
      ...linesOf(mark).map((line, number) => h(number ? "div" : "strong", null, line)),
      isTouch && mark.href ? h("div", { class: "note" }, "Tap again to open it") : "",
    );
    tip.classList.toggle("flip", mark.x > chart.room[0] * 0.6);
    tip.style.left = `${mark.x}px`;
    tip.style.top = `${Math.min(mark.y, Math.max(chart.room[1], height) - TIP_PX)}px`;
    pointer.append(s("circle", { class: "pointer", cx: mark.x, cy: mark.y, r: 5 }));
  }

  /** Point at this one and say it: once, whatever is drawn meanwhile, and not of where the mouse is. */
  function walkTo(index) {
    point(index);
    voice.textContent = [...tip.children].map((line) => line.textContent).join(", ");
  }

  /** Go to the next one (1) or the one before (-1); from none to the first or the last. */
  function step(move) {
    const count = all().length;
    const start = at < 0 && move < 0 ? 0 : at;
    walkTo((start + move + count) % count);
  }

  function open(index) {
    const href = all()[index]?.href;
    if (href) location.hash = href;
  }

  /** The plot is another: point at what was pointed at, wherever it is by now. */
  function renew() {
    const held = found?.[at]?.key;
    found = null;
    if (at >= 0) point(all().findIndex((one) => one.key === held));
  }

  return { all, current: () => at, nearest, point, walkTo, step, open, renew };
}

const linesOf = (mark) => [typeof mark.text === "function" ? mark.text() : mark.text].flat();

// ---------------------------------------------------------------------------------------------------------------- zoom

/**
 * Keeps `chart.zoom`: [low, high], or null for all that there is. Answers {button, zoomTo}.
 *
 * @param chart {svg, canZoom, plot, zoom}
 * @param marks see `marksOf`
 * @param {string} file what the zoom is remembered by
 * @param {{search: URLSearchParams, keep: Function}|null} address where
 * @param {() => void} redraw
 */
function zoomOf(chart, marks, { file, address, redraw }) {
  const reset = () => zoomTo(null);
  const button = h("button", { type: "button", class: "quiet", hidden: true, onclick: reset }, "Reset zoom");

  function show(range) {
    chart.zoom = range;
    hide(button, !range, chart.svg);
  }

  /** Show this range, as far as there is something; null: all. */
  function zoomTo(range) {
    if (!chart.canZoom) return marks.point(-1);
    show(range && within(range, chart.plot?.full ?? [-Infinity, Infinity]));
    address?.keep(`zoom.${file}`, chart.zoom && written(chart.zoom));
    marks.point(-1);
    redraw();
  }

  show(read(address?.search.get(`zoom.${file}`)));
  return { button, zoomTo };
}

/** The range, moved to where there is something; null if that is all. */
function within(range, [low, high]) {
  const shift = Math.max(0, low - range[0]) - Math.max(0, range[1] - high);
  return range[1] - range[0] < high - low ? range.map((one) => one + shift) : null;
}

const written = (range) => range.map((one) => num(one, 6).replaceAll(",", "")).join("..");

function read(text) {
  const range = text?.split("..").map(Number);
  return range?.length === 2 && range[0] < range[1] ? range : null;
}

// ---------------------------------------------------------------------------------------------- pointer, fingers, keys

/**
 * Let the mouse point at marks, open them, and zoom by dragging.
 *
 * @param chart {svg, pointer, canZoom, plot, zoom}
 * @param marks see `marksOf`
 * @param zoomTo shows a range [low, high], or all of it (null)
 */
function listenToPointers(chart, marks, zoomTo) {
  const { svg, pointer, canZoom } = chart;
  const fingers = fingersOn(chart, marks, zoomTo);
  let from = null;

  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function brush(x) {
    if (!chart.plot) return; // another is about to be drawn
    const [bottom, top] = chart.plot.y.range;
    const sides = { x: Math.min(from, x), width: Math.abs(x - from), y: top, height: bottom - top };
    pointer.replaceChildren(s("rect", { class: "brush", ...sides }));
  }

  svg.addEventListener("pointerdown", (event) => {
    const [x] = place(event);
    if (event.pointerType === "touch") fingers.down(event.pointerId, x);
    else if (canZoom && chart.plot?.x && event.button === 0) from = x;
  });
  svg.addEventListener("pointermove", (event) => {
    const here = place(event);
    if (fingers.has(event.pointerId)) fingers.move(event.pointerId, here);
    else if (from === null) marks.point(marks.nearest(here));
    else brush(here[0]);
  });
  svg.addEventListener("pointerup", (event) => {
    const here = place(event);
    const start = from;
    from = null;
    if (fingers.has(event.pointerId)) return fingers.up(event.pointerId, here);
    pointer.replaceChildren();
    if (start !== null && chart.plot && Math.abs(here[0] - start) > STILL_PX)
      return zoomTo([start, here[0]].sort((a, b) => a - b).map(chart.plot.x.invert));
    marks.open(marks.nearest(here));
  });
  svg.addEventListener("pointercancel", (event) => fingers.cancel(event.pointerId));
  svg.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch" && from === null) marks.point(-1);
  });
  svg.addEventListener("dblclick", () => zoomTo(null));
}

/** Each finger holds a value: wherever it goes, that value is below it. One moves what is zoomed, two zoom. */
function fingersOn(chart, marks, zoomTo) {
  const fingers = new Map();
  let isTap = false;

  function stretch() {
    const [one, two] = [...fingers.values()];
    const [left, right] = chart.plot.x.range;
    const [low, high] = chart.plot.x.domain;
    if (two && Math.abs(two.x - one.x) < 2 * STILL_PX) return;
    const perPixel = two ? (two.value - one.value) / (two.x - one.x) : (high - low) / (right - left);
    const start = one.value - (one.x - left) * perPixel;
    if (perPixel > 0) zoomTo([start, start + (right - left) * perPixel]);
  }

  function down(id, x) {
    isTap = !fingers.size;
    fingers.set(id, { x, startX: x, value: chart.plot?.x?.invert?.(x) });
  }

  function move(id, here) {
    const finger = fingers.get(id);
    finger.x = here[0];
    if (Math.abs(finger.x - finger.startX) > STILL_PX || fingers.size > 1) isTap = false;
    if (isTap || !chart.canZoom || !chart.plot?.x) return;
    if (fingers.size > 1 || chart.zoom) stretch();
    else marks.point(marks.nearest(here), true);
  }

  /** The first tap points at a mark, the next one opens it. */
  function up(id, here) {
    fingers.delete(id);
    if (!isTap) return;
    const index = marks.nearest(here);
    if (index >= 0 && index === marks.current()) marks.open(index);
    else marks.point(index, true);
  }

  return { has: (id) => fingers.has(id), down, move, up, cancel: (id) => fingers.delete(id) };
}

const MOVES = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };

/** Let the keys do the same; `chart`, `marks` and `zoomTo` as above. */
function listenToKeys(chart, marks, zoomTo) {
  const { svg, canZoom } = chart;

  function shift(move) {
    const [low, high] = chart.zoom;
    zoomTo(chart.zoom.map((one) => one + (move * (high - low)) / 4));
  }

  /** Around the mark that is pointed at, or the middle. */
  function scaleBy(factor) {
    const [low, high] = chart.plot.x.domain;
    const half = ((high - low) / 2) * factor;
    const mark = marks.all()[marks.current()];
    const middle = mark ? chart.plot.x.invert(mark.x) : (low + high) / 2;
    zoomTo([middle - half, middle + half]);
  }

  svg.addEventListener("keydown", (event) => {
    if (event.target !== svg || event.ctrlKey || event.metaKey || event.altKey) return;
    const count = marks.all().length;
    const move = MOVES[event.key];
    if (move && event.shiftKey && chart.zoom) shift(move);
    else if (count && move) marks.step(move);
    else if (count && event.key === "Home") marks.walkTo(0);
    else if (count && event.key === "End") marks.walkTo(count - 1);
    else if (event.key === "Enter") marks.open(marks.current());
    else if (event.key === "Escape") zoomTo(null);
    else if (canZoom && chart.plot?.x && "+-=".includes(event.key)) scaleBy(event.key === "-" ? 2 : 0.5);
    else return;
    event.preventDefault();
  });
  svg.addEventListener("blur", () => marks.point(-1));
}

// -------------------------------------------------------------------------------------------- the canvas below the SVG

/**
 * What paints plots on a canvas, above the lines of the grid that are in `base`.
 *
 * Answers:
 * - `paint(plot, before, size)`: `before` is the plot that is painted, where this one may be added to it
 * - `isBusy()`: whether parts are yet to come; `onFinish` hears when they all have
 */
function pictureOn(canvas, base, onFinish) {
  let parts = null;

  function paint(plot, before, [width, height]) {
    const density = Math.min(devicePixelRatio || 1, MOST_DENSITY);
    const size = { width: Math.round(width * density), height: Math.round(height * density) };
    const isResized = canvas.width !== size.width || canvas.height !== size.height;
    const fit = () => {
      if (!isResized) return;
      Object.assign(canvas, size);
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    };
    if (!plot.isLong) fit();
    const sheet = plot.isLong ? h("canvas", size) : canvas;
    const context = sheet.getContext("2d", { willReadFrequently: Boolean(plot.isLong) });
    context.setTransform(density, 0, 0, density, 0, 0);
    if (before && !isResized && plot.grow?.(context, before)) return;
    context.clearRect(0, 0, width, height);
    paintGrid(context, base);
    parts = plot.paint(context) ?? null;
    if (parts)
      goOn(context, () => {
        fit();
        copy(sheet, canvas);
      });
  }

  /** A part a frame, out of sight; what is shown until then is the picture before. */
  function goOn(context, show) {
    const { done } = parts.next();
    if (!done) context.getImageData(0, 0, 1, 1); // or the browser puts all of it off to the end
    if (!done) return paintSoon(() => goOn(context, show));
    parts = null;
    show();
    onFinish();
  }

  return { paint, isBusy: () => parts !== null };
}

/** The grid belongs below what is painted; that of the SVG, which lies above, is hidden. */
function paintGrid(context, base) {
  context.strokeStyle = colourOf("var(--grid)");
  context.lineWidth = 1;
  context.beginPath();
  for (const line of base.querySelectorAll("line.grid")) {
    context.moveTo(line.getAttribute("x1"), line.getAttribute("y1"));
    context.lineTo(line.getAttribute("x2"), line.getAttribute("y2"));
  }
  context.stroke();
}

function copy(sheet, canvas) {
  const front = canvas.getContext("2d");
  front.setTransform(1, 0, 0, 1, 0, 0);
  front.clearRect(0, 0, canvas.width, canvas.height);
  front.drawImage(sheet, 0, 0);
}
