// What a chart is kept as: its data as CSV, its picture as SVG or PNG. Fetched when somebody asks for one.

import { h, s } from "./dom.js";

const STYLED = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "fill-opacity",
  "opacity",
  "stroke-dasharray",
  "font-size",
  "font-family",
  "font-weight",
];

/** A file for the user to keep. */
function save(name, blob) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** A cell of a CSV file; what a spreadsheet would run as a formula is told to be text. */
function cell(value) {
  const isFormula = typeof value === "string" && /^[=+\-@\t\r]/.test(value);
  const text = isFormula ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function saveCsv(file, { columns, rows }) {
  const lines = [columns, ...rows].map((line) => `${line.map(cell).join(",")}\r\n`);
  save(`${file}.csv`, new Blob([lines.join("")], { type: "text/csv" }));
}

/** The chart as a document of its own, its colours and fonts written into it. */
function standalone(svg, plot) {
  const vectors = plot.vector?.() ?? [];
  svg.prepend(...vectors); // where the style sheet reaches them
  const copy = svg.cloneNode(true);
  const copies = [...copy.querySelectorAll("*")];
  [...svg.querySelectorAll("*")].forEach((one, index) => {
    const style = getComputedStyle(one);
    for (const name of STYLED) copies[index].setAttribute(name, style.getPropertyValue(name));
  });
  for (const one of vectors) one.remove();
  for (const one of copy.querySelectorAll(".pointer, .brush, .handle")) one.remove();
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.prepend(
    s("rect", { width: "100%", height: "100%", fill: getComputedStyle(svg.closest(".card")).backgroundColor }),
  );
  return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
}

export const saveSvg = (file, svg, plot) => save(`${file}.svg`, standalone(svg, plot));

export async function savePng(file, svg, plot) {
  const url = URL.createObjectURL(standalone(svg, plot));
  const image = new Image();
  image.src = url;
  await image.decode();
  const large = h("canvas", { width: svg.getAttribute("width") * 2, height: svg.getAttribute("height") * 2 });
  large.getContext("2d").drawImage(image, 0, 0, large.width, large.height);
  URL.revokeObjectURL(url);
  large.toBlob((blob) => save(`${file}.png`, blob));
}
