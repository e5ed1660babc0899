// What every chart has around it: a title, a tooltip, keys, zoom by dragging, a table of its data, downloads.
//
// `draw(width, height, zoom)` answers a plot: {nodes, x?, y?, marks?, paint?, vector?}. `marks` are the places that the
// pointer and the arrow keys go to: {x, y, text (or what makes it), href?}. `paint(context)` draws on a canvas below the SVG where there is
// too much for elements; `vector()` draws the same as SVG, for the download.

import { h, num, s, save } from "./dom.js";
import { colourOf } from "./scale.js";

/** A chart: {element, redraw}. It draws at most once per frame, and only while it is on the page. */
export function figure({ title, note = "", file, height = 260, draw, rows, describe, canZoom = false, wide = false, minWidth = 0 }) {
  const svg = s("svg", { class: "plot", tabindex: 0, role: "img" });
  const canvas = h("canvas", { class: "lines", "aria-hidden": true });
  const tip = h("div", { class: "tip", hidden: true, role: "status" });
  const stage = h("div", { class: minWidth ? "stage broad" : "stage" }, canvas, svg, tip);
  const table = h("div", { class: "chart-table", hidden: true, tabindex: 0 });
  const reset = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => zoomTo(null) }, "Reset zoom");
  const toggle = h("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: flip }, "Table");
  const tool = (name, act) => h("button", { type: "button", class: "quiet", "aria-label": `${title} as ${name}`, onclick: act }, name);
  const noteText = h("span", { class: "note" }, note);
  const element = h("figure", { class: wide ? "card wide" : "card" },
    h("figcaption", null, h("h3", null, title), noteText,
      h("span", { class: "chart-tools" }, reset, toggle, tool("CSV", saveCsv), tool("SVG", saveSvg), tool("PNG", savePng))),
    stage, table);
  let plot = null, zoom = null, frame = 0, at = -1, from = null, isSeen = false, isStale = false;

  function redraw() {
    frame ||= requestAnimationFrame(now);
  }

  function now() {
    frame = 0;
    if (!element.isConnected) return;
    if (!table.hidden) return fill();
    isStale = !isSeen;
    if (isStale) return;
    if (stage.clientWidth < 20) return;
    const width = Math.max(stage.clientWidth, minWidth);
    plot = draw(width, height, zoom);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", width);
    svg.setAttribute("height", height);
    const said = `${title}. ${describe()}`;
    svg.setAttribute("aria-label", said);
    svg.replaceChildren(s("title", null, said), ...plot.nodes.flat(Infinity).filter(Boolean));
    svg.classList.toggle("painted", Boolean(plot.paint));
    if (plot.paint) {
      const density = Math.min(devicePixelRatio || 1, 2);
      if (canvas.width !== Math.round(width * density) || canvas.height !== height * density) {
        canvas.width = Math.round(width * density);
        canvas.height = height * density;
        canvas.style.width = `${width}px`;
        canvas.style.height = `${height}px`;
      }
      const context = canvas.getContext("2d");
      context.setTransform(density, 0, 0, density, 0, 0);
      context.clearRect(0, 0, width, height);
      drawGrid(context);
      plot.paint(context);
    }
    element.dataset.drawn = Number(element.dataset.drawn ?? 0) + 1;
  }

  /** The grid goes under what is painted. */
  function drawGrid(context) {
    context.strokeStyle = colourOf("var(--grid)");
    context.lineWidth = 1;
    context.beginPath();
    for (const line of svg.querySelectorAll("line.grid")) {
      context.moveTo(line.getAttribute("x1"), line.getAttribute("y1"));
      context.lineTo(line.getAttribute("x2"), line.getAttribute("y2"));
    }
    context.stroke();
  }

  function point(index) {
    const marks = plot?.marks ?? [];
    at = index;
    tip.hidden = index < 0 || !marks[index];
    svg.querySelector(".pointer")?.remove();
    if (tip.hidden) return;
    const mark = marks[index];
    tip.replaceChildren(...[typeof mark.text === "function" ? mark.text() : mark.text].flat().map((line, number) => h(number ? "div" : "strong", null, line)));
    tip.classList.toggle("flip", mark.x > stage.clientWidth * 0.6);
    tip.style.left = `${mark.x}px`;
    tip.style.top = `${Math.min(mark.y, height - 30)}px`;
    svg.append(s("circle", { class: "pointer", cx: mark.x, cy: mark.y, r: 5 }));
  }

  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function nearest([x, y]) {
    let best = -1, least = 40 ** 2;
    (plot?.marks ?? []).forEach((mark, index) => {
      const distance = (mark.x - x) ** 2 + (mark.y - y) ** 2;
      if (distance < least) [best, least] = [index, distance];
    });
    return best;
  }

  svg.addEventListener("pointerdown", (event) => {
    if (canZoom && event.button === 0 && event.pointerType !== "touch") from = place(event)[0];
  });
  svg.addEventListener("pointermove", (event) => {
    const here = place(event);
    if (from === null) return point(nearest(here));
    svg.querySelector(".brush")?.remove();
    const [top, bottom] = [plot.y.range[1], plot.y.range[0]];
    svg.append(s("rect", { class: "brush", x: Math.min(from, here[0]), width: Math.abs(here[0] - from), y: top, height: bottom - top }));
  });
  svg.addEventListener("pointerup", (event) => {
    const to = place(event)[0], start = from;
    from = null;
    svg.querySelector(".brush")?.remove();
    if (start !== null && Math.abs(to - start) > 8) return zoomTo([plot.x.invert(Math.min(start, to)), plot.x.invert(Math.max(start, to))]);
    const mark = plot?.marks?.[nearest(place(event))];
    if (mark?.href) location.hash = mark.href;
  });
  svg.addEventListener("pointerleave", () => from === null && point(-1));
  svg.addEventListener("blur", () => point(-1));
  svg.addEventListener("dblclick", () => zoomTo(null));
  svg.addEventListener("keydown", (event) => {
    const n = plot?.marks?.length ?? 0;
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1 };
    if (event.target !== svg) return;
    if (n && moves[event.key]) point((at + moves[event.key] + n + (at < 0 && moves[event.key] < 0 ? 1 : 0)) % n);
    else if (event.key === "Enter" && plot?.marks?.[at]?.href) location.hash = plot.marks[at].href;
    else if (event.key === "Escape") zoomTo(null);
    else if (canZoom && "+-=".includes(event.key)) scaleBy(event.key === "-" ? 2 : 0.5);
    else return;
    event.preventDefault();
  });

  function scaleBy(factor) {
    const [low, high] = plot.x.domain;
    const middle = plot.marks?.[at] ? plot.x.invert(plot.marks[at].x) : (low + high) / 2;
    zoomTo([middle - ((high - low) / 2) * factor, middle + ((high - low) / 2) * factor]);
  }

  function zoomTo(range) {
    zoom = canZoom ? range : null;
    reset.hidden = !zoom;
    point(-1);
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
    table.replaceChildren(h("table", null, h("caption", { class: "hidden" }, title),
      h("thead", null, h("tr", null, columns.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, lines.slice(0, 1000).map((line) => h("tr", null, line.map((value) => h("td", { class: typeof value === "number" ? "number" : "" }, num(value, 6))))))));
  }

  function saveCsv() {
    const { columns, rows: lines } = rows();
    // What a spreadsheet would run as a formula is told to be text.
    const cell = (value) => {
      const text = value === null || value === undefined ? "" : typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    save(`${file}.csv`, new Blob([[columns, ...lines].map((line) => line.map(cell).join(",")).join("\r\n"), "\r\n"], { type: "text/csv" }));
  }

  /** The chart as a document of its own, its colours and fonts written into it. */
  function standalone() {
    const copy = svg.cloneNode(true);
    copy.querySelector(".pointer")?.remove();
    const vectors = plot.vector?.() ?? [];
    svg.prepend(...vectors); // where the style sheet reaches them
    for (const node of vectors) copy.prepend(node.cloneNode(true));
    const originals = [...svg.querySelectorAll("*")].filter((one) => !one.classList.contains("pointer"));
    const copies = [...copy.querySelectorAll("*")];
    originals.forEach((one, index) => {
      const style = getComputedStyle(one);
      for (const name of ["fill", "stroke", "stroke-width", "stroke-opacity", "fill-opacity", "opacity", "stroke-dasharray", "font-size", "font-family", "font-weight"])
        copies[index]?.setAttribute(name, style.getPropertyValue(name));
    });
    vectors.forEach((one) => one.remove());
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.prepend(s("rect", { width: "100%", height: "100%", fill: getComputedStyle(element).backgroundColor }));
    return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  }

  function saveSvg() {
    if (!plot) return;
    save(`${file}.svg`, standalone());
  }

  async function savePng() {
    if (!plot) return;
    const url = URL.createObjectURL(standalone());
    const image = new Image();
    image.src = url;
    await image.decode();
    const large = h("canvas", { width: svg.getAttribute("width") * 2, height: height * 2 });
    large.getContext("2d").drawImage(image, 0, 0, large.width, large.height);
    URL.revokeObjectURL(url);
    large.toBlob((blob) => save(`${file}.png`, blob));
  }

  // What nobody sees is drawn when somebody does.
  new IntersectionObserver((entries) => {
    isSeen = entries.at(-1).isIntersecting;
    if (isSeen && (isStale || !plot)) redraw();
  }, { rootMargin: "300px" }).observe(element);
  new ResizeObserver(redraw).observe(stage);
  const onRedraw = () => (element.isConnected ? redraw() : removeEventListener("redraw", onRedraw));
  addEventListener("redraw", onRedraw);
  return { element, redraw, say: (text) => { noteText.textContent = text; } };
}

/** What to draw where there is nothing yet. */
export const nothing = (width, height, text) => ({ nodes: [s("text", { class: "nothing", x: width / 2, y: height / 2, "text-anchor": "middle" }, text)] });
