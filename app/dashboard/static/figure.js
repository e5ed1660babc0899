// What every chart has around it: a title, a tooltip, keys, zoom by dragging and pinching, a table of its data, downloads.
//
// `draw(width, height, zoom, before, looks)` answers a plot: {nodes, over?, x?, y?, full?, marks?, offers?, key?, paint?, grow?, vector?}.
// `nodes` stay while `key` stays the same, `over` is laid upon them and made anew each time. `marks()` are the places that the
// pointer and the arrow keys go to: {key (of what it is, the same in the next picture), x, y, text (or what makes it), href?}. `paint(context)` draws on a canvas below the SVG
// where there is too much for elements, and where that takes long (`isLong`) in parts, as a generator; `grow(context, before)` adds what is new to a picture of the same key, or answers
// false; `vector()` draws it all as SVG, for the download. `full` is what `x` shows without zoom. `looks` has the keys of
// LOOKS that are chosen, `offers` of those that this plot may be drawn with.

import { h, hide, num, s } from "./dom.js";
import { colourOf } from "./scale.js";

const LOOKS = { log: ["Log", "on a log scale"], smooth: ["Smooth", "smooth"] };
const MOST_ROWS = 1000;
const REACH_PX = 40;
const STILL_PX = 8;
const BUDGET_MS = 6;

// One queue for all charts: a frame draws as many as leave it time for everything else, the next one goes on.
const waiting = new Set();
let frame = 0;
let isPrinting = false;

function ask(paint) {
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

/** A chart: {element, redraw}. `address` ({search, keep}): where its zoom is remembered; `note`: a text, or what makes it; `role`: of a picture, within which nobody finds controls. */
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
  const said = { timer: null, text: "" };
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
  const reset = h(
    "button",
    { type: "button", class: "quiet", hidden: true, onclick: () => zoomTo(null) },
    "Reset zoom",
  );
  const toggle = h(
    "button",
    { type: "button", class: "quiet", "aria-label": `${title} as a table`, "aria-pressed": "false", onclick: flip },
    "Table",
  );
  const looks = new Set(
    address?.search
      .get(`look.${file}`)
      ?.split(" ")
      .filter((key) => key in LOOKS),
  );
  const lookButtons = Object.entries(LOOKS).map(([key, [word, way]]) => [
    key,
    h(
      "button",
      { type: "button", class: "quiet", hidden: true, "aria-label": `${title} ${way}`, onclick: () => lookAs(key) },
      word,
    ),
  ]);
  const tool = (name, act) =>
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": `${title} as ${name}`,
        onclick: async () => plot && act(await import("./keep.js")),
      },
      name,
    );
  const noteText = h("span", { class: "note" }, typeof note === "string" ? note : "");
  const element = h(
    "figure",
    { class: wide ? "card wide" : "card" },
    h(
      "figcaption",
      null,
      h("h3", { title }, title),
      noteText,
      h(
        "span",
        { class: "chart-tools" },
        reset,
        lookButtons.map(([, button]) => button),
        toggle,
        tool("CSV", (as) => as.saveCsv(file, rows())),
        tool("SVG", (as) => as.saveSvg(file, svg, plot)),
        tool("PNG", (as) => as.savePng(file, svg, plot)),
      ),
    ),
    stage,
    table,
  );
  let parts = null;
  let isLate = false;
  let plot = null;
  let zoom = null;
  let at = -1;
  let from = null;
  let isSeen = false;
  let isStale = false;
  let room = [0, 0];
  let found = null;
  let n = 0;
  const redraw = () => ask(now);
  const marks = () => (found ??= plot?.marks?.() ?? []);

  function now() {
    if (!element.isConnected) return;
    saySoon();
    if (!table.hidden) return;
    isStale = !isSeen && !isPrinting;
    if (isStale || room[0] < 20) return;
    if (parts) return void (isLate = true); // first let it be finished
    const before = plot;
    const held = found?.[at]?.key;
    const width = Math.max(room[0], minWidth);
    const tall = Math.max(room[1], height);
    plot = draw(width, tall, zoom, before, looks);
    for (const [key, button] of lookButtons) {
      button.hidden = !looks.has(key) && !plot.offers?.includes(key);
      button.setAttribute("aria-pressed", String(looks.has(key)));
    }
    found = null;
    const isSame =
      before &&
      plot.key !== undefined &&
      plot.key === before.key &&
      Number(svg.getAttribute("width")) === width &&
      Number(svg.getAttribute("height")) === tall;
    if (!isSame) {
      svg.setAttribute("viewBox", `0 0 ${width} ${tall}`);
      svg.setAttribute("width", width);
      svg.setAttribute("height", tall);
      svg.classList.toggle("painted", Boolean(plot.paint));
      const axis = base.contains(document.activeElement) ? document.activeElement.dataset.axis : null;
      base.replaceChildren(...plot.nodes.flat(Infinity).filter(Boolean));
      if (axis !== null)
        [...base.querySelectorAll("[data-axis]")]
          .find((one) => one.dataset.axis === axis)
          ?.focus({ preventScroll: true });
    }
    over.replaceChildren(...(plot.over ?? []).flat(Infinity).filter(Boolean));
    if (plot.paint) picture(isSame ? before : null, width, tall);
    canvas.hidden = !plot.paint;
    if (at >= 0) point(marks().findIndex((one) => one.key === held));
    element.dataset.drawn = ++n;
  }

  function picture(before, width, tall) {
    const density = Math.min(devicePixelRatio || 1, 2);
    const size = { width: Math.round(width * density), height: Math.round(tall * density) };
    const isResized = canvas.width !== size.width || canvas.height !== size.height;
    const fit = () =>
      isResized &&
      (Object.assign(canvas, size), Object.assign(canvas.style, { width: `${width}px`, height: `${tall}px` }));
    if (!plot.isLong) fit();
    const sheet = plot.isLong ? h("canvas", size) : canvas;
    const context = sheet.getContext("2d", { willReadFrequently: Boolean(plot.isLong) });
    context.setTransform(density, 0, 0, density, 0, 0);
    if (before && !isResized && plot.grow?.(context, before)) return;
    context.clearRect(0, 0, width, tall);
    context.strokeStyle = colourOf("var(--grid)"); // below what is painted
    context.lineWidth = 1;
    context.beginPath();
    for (const line of base.querySelectorAll("line.grid")) {
      context.moveTo(line.getAttribute("x1"), line.getAttribute("y1"));
      context.lineTo(line.getAttribute("x2"), line.getAttribute("y2"));
    }
    context.stroke();
    parts = plot.paint(context) ?? null;
    if (parts)
      goOn(context, () => {
        fit();
        const front = canvas.getContext("2d");
        front.setTransform(1, 0, 0, 1, 0, 0);
        front.clearRect(0, 0, canvas.width, canvas.height);
        front.drawImage(sheet, 0, 0);
      });
  }

  /** A part a frame, out of sight; what is shown until then is the picture before. */
  function goOn(context, finish) {
    const { done } = parts.next();
    if (!done) context.getImageData(0, 0, 1, 1); // or the browser puts all of it off to the end
    if (!done) return ask(() => goOn(context, finish));
    parts = null;
    finish();
    if (isLate) redraw();
    isLate = false;
  }

  /** What the chart shows in words, and its table: a few times a second is enough for either. */
  function saySoon() {
    said.timer ??= setTimeout(
      () => {
        said.timer = null;
        const text = `${title}. ${describe()}`;
        if (typeof note === "function") noteText.textContent = note();
        if (text !== said.text) {
          said.text = titleNode.textContent = text;
          svg.setAttribute("aria-label", text);
        }
        if (!table.hidden) fill();
      },
      said.text ? 250 : 0,
    );
  }

  function point(index, isTouch = false) {
    const mark = marks()[index];
    at = mark ? index : -1;
    tip.hidden = !mark;
    pointer.replaceChildren();
    if (!mark) return;
    tip.replaceChildren(
      ...[typeof mark.text === "function" ? mark.text() : mark.text]
        .flat()
        .map((line, number) => h(number ? "div" : "strong", null, line)),
      isTouch && mark.href ? h("div", { class: "note" }, "Tap again to open it") : "",
    );
    tip.classList.toggle("flip", mark.x > room[0] * 0.6);
    tip.style.left = `${mark.x}px`;
    tip.style.top = `${Math.min(mark.y, Math.max(room[1], height) - 30)}px`;
    pointer.append(s("circle", { class: "pointer", cx: mark.x, cy: mark.y, r: 5 }));
  }

  /** Said once, whatever is drawn meanwhile, and not of where the mouse is. */
  function walk(index) {
    point(index);
    voice.textContent = [...tip.children].map((line) => line.textContent).join(", ");
  }

  function open(mark) {
    if (mark?.href) location.hash = mark.href;
  }

  // ---------------------------------------------------------------------------------------------- pointer, fingers, keys

  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function nearest([x, y]) {
    let best = -1;
    let least = REACH_PX ** 2;
    marks().forEach((mark, index) => {
      const distance = (mark.x - x) ** 2 + (mark.y - y) ** 2;
      if (distance < least) [best, least] = [index, distance];
    });
    return best;
  }

  // Each finger holds a value: wherever it goes, that value is below it. One moves what is zoomed, two zoom.
  const fingers = new Map();
  let isTap = false;

  function stretch() {
    const [one, two] = [...fingers.values()];
    const [left, right] = plot.x.range;
    const [low, high] = plot.x.domain;
    if (two && Math.abs(two.x - one.x) < 2 * STILL_PX) return;
    const perPixel = two ? (two.value - one.value) / (two.x - one.x) : (high - low) / (right - left);
    const start = one.value - (one.x - left) * perPixel;
    if (perPixel > 0) zoomTo([start, start + (right - left) * perPixel]);
  }

  svg.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    if (event.pointerType === "touch") {
      isTap = !fingers.size;
      fingers.set(event.pointerId, { x, y, startX: x, value: plot?.x?.invert?.(x) });
    } else if (canZoom && plot?.x && event.button === 0) from = x;
  });
  svg.addEventListener("pointermove", (event) => {
    const here = place(event);
    const finger = fingers.get(event.pointerId);
    if (finger) {
      finger.x = here[0];
      if (Math.abs(here[0] - finger.startX) > STILL_PX || fingers.size > 1) isTap = false;
      if (isTap || !canZoom || !plot?.x) return;
      return fingers.size > 1 || zoom ? stretch() : point(nearest(here), true);
    }
    if (from === null) return point(nearest(here));
    const [bottom, top] = plot.y.range;
    pointer.replaceChildren(
      s("rect", {
        class: "brush",
        x: Math.min(from, here[0]),
        width: Math.abs(here[0] - from),
        y: top,
        height: bottom - top,
      }),
    );
  });
  svg.addEventListener("pointerup", (event) => {
    const here = place(event);
    const start = from;
    from = null;
    if (fingers.delete(event.pointerId)) {
      if (!isTap) return;
      const index = nearest(here);
      return index >= 0 && index === at ? open(marks()[index]) : point(index, true);
    }
    pointer.replaceChildren();
    if (start !== null && Math.abs(here[0] - start) > STILL_PX)
      return zoomTo([start, here[0]].sort((a, b) => a - b).map(plot.x.invert));
    open(marks()[nearest(here)]);
  });
  svg.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
  svg.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && from === null && point(-1));
  svg.addEventListener("blur", () => point(-1));
  svg.addEventListener("dblclick", () => zoomTo(null));
  svg.addEventListener("keydown", (event) => {
    const count = marks().length;
    const move = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (event.target !== svg || event.ctrlKey || event.metaKey || event.altKey) return;
    if (move && event.shiftKey && zoom) zoomTo(zoom.map((one) => one + (move * (zoom[1] - zoom[0])) / 4));
    else if (count && move) walk((at + move + count + (at < 0 && move < 0 ? 1 : 0)) % count);
    else if (count && event.key === "Home") walk(0);
    else if (count && event.key === "End") walk(count - 1);
    else if (event.key === "Enter") open(marks()[at]);
    else if (event.key === "Escape") zoomTo(null);
    else if (canZoom && plot?.x && "+-=".includes(event.key)) scaleBy(event.key === "-" ? 2 : 0.5);
    else return;
    event.preventDefault();
  });

  function scaleBy(factor) {
    const [low, high] = plot.x.domain;
    const half = ((high - low) / 2) * factor;
    const middle = marks()[at] ? plot.x.invert(marks()[at].x) : (low + high) / 2;
    zoomTo([middle - half, middle + half]);
  }

  /** Show this range, as far as there is something; null: all. */
  function zoomTo(range) {
    if (!canZoom) return point(-1);
    const [low, high] = plot?.full ?? [-Infinity, Infinity];
    if (range) {
      const shift = Math.max(0, low - range[0]) - Math.max(0, range[1] - high);
      range = range[1] - range[0] < high - low ? range.map((one) => one + shift) : null;
    }
    zoom = range;
    hide(reset, !zoom, svg);
    address?.keep(`zoom.${file}`, zoom && zoom.map((one) => num(one, 6).replaceAll(",", "")).join(".."));
    point(-1);
    redraw();
  }

  function lookAs(key) {
    looks.delete(key) || looks.add(key);
    address?.keep(`look.${file}`, [...looks].join(" ") || null);
    redraw();
  }

  function flip() {
    const isTable = table.hidden;
    table.hidden = !isTable;
    stage.hidden = isTable;
    toggle.setAttribute("aria-pressed", String(isTable));
    if (isTable) fill();
    else redraw();
  }

  function fill() {
    const { columns, rows: lines } = rows();
    table.replaceChildren(
      h(
        "table",
        null,
        h("caption", { class: "hidden" }, title),
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            columns.map((name) => h("th", { scope: "col" }, name)),
          ),
        ),
        h(
          "tbody",
          null,
          lines.slice(0, MOST_ROWS).map((line) =>
            h(
              "tr",
              null,
              line.map((value) => h("td", { class: typeof value === "number" ? "number" : "" }, num(value, 6))),
            ),
          ),
        ),
      ),
      lines.length > MOST_ROWS
        ? h("p", { class: "note" }, `The first ${num(MOST_ROWS)} of ${num(lines.length)} rows; the CSV has them all.`)
        : "",
    );
  }

  const wanted = address?.search.get(`zoom.${file}`)?.split("..").map(Number);
  if (wanted?.length === 2 && wanted[0] < wanted[1]) {
    zoom = wanted;
    reset.hidden = false;
  }
  // What nobody sees is drawn when somebody does.
  new IntersectionObserver(
    (entries) => {
      isSeen = entries.at(-1).isIntersecting;
      if (isSeen && (isStale || !plot)) redraw();
    },
    { rootMargin: "300px" },
  ).observe(element);
  new ResizeObserver(([{ contentRect }]) => {
    room = [Math.floor(contentRect.width), Math.floor(contentRect.height)];
    redraw();
  }).observe(stage);
  element.addEventListener("redraw", () => {
    plot = null; // its colours are of yesterday
    redraw();
  });
  return { element, redraw };
}

/** What to draw where there is nothing yet. */
export const nothing = (width, height, text) => ({
  nodes: [s("text", { class: "nothing", x: width / 2, y: height / 2, "text-anchor": "middle" }, text)],
});
