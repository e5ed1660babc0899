// What is too faint on a page, a line each: text below 4.5 (large 3), marks of charts and edges of fields below 3.
// `inks`: what the canvases were painted with, as the page noted it ([colour, alpha, canvas]).
(inks) => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], ground) => [r, g, b].map((one, index) => one * a + ground[index] * (1 - a));
  const luminance = (colour) => colour.slice(0, 3).map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
  const ratio = (a, b) => { const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y); return (high + 0.05) / (low + 0.05); };
  const groundOf = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.push(rgba(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((ground, layer) => over(layer, ground), [255, 255, 255]);
  };
  // What comes on hover or focus has opacity 0 until then, and is judged as it comes.
  const opacityOf = (element) => { let all = 1; for (let one = element; one; one = one.parentElement) all *= Number(getComputedStyle(one).opacity) || 1; return all; };
  const faint = [];
  const judge = (what, colour, alpha, ground, least) => {
    const [r, g, b, a] = rgba(colour), found = ratio(over([r, g, b, a * alpha], ground), ground);
    if (found < least - 0.005) faint.push(`${what}: ${found.toFixed(2)} < ${least}`);
  };
  const isSeen = (element) => element.checkVisibility() && !element.closest(".hidden, noscript, title, .skip") && element.getBoundingClientRect().width > 0;
  let n = 0;

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || !isSeen(element)) continue;
    const style = getComputedStyle(element), isSvg = element instanceof SVGElement, size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    judge(`text “${node.data.trim().slice(0, 30)}”`, isSvg ? style.fill : style.color, opacityOf(element), groundOf(element), isLarge ? 3 : 4.5);
    n++;
  }
  for (const field of document.querySelectorAll("input:not([type=checkbox])")) {
    if (!isSeen(field)) continue;
    judge("placeholder", getComputedStyle(field, "::placeholder").color, 1, groundOf(field), 4.5);
    judge("edge of a field", getComputedStyle(field).borderTopColor, 1, groundOf(field.parentElement), 3);
  }
  for (const one of document.querySelectorAll(".swatch, #connection")) {
    if (isSeen(one)) judge(one.className, getComputedStyle(one, one.id ? "::before" : null).backgroundColor, 1, groundOf(one.parentElement), 3);
  }
  for (const mark of document.querySelectorAll(".plot :is(path, circle, rect), .spark *")) {
    if (!isSeen(mark) || mark.matches(".handle, .pointer, title, defs *")) continue;
    const style = getComputedStyle(mark), ground = groundOf(mark);
    const isInk = ([colour]) => colour !== "none" && ratio(over(rgba(colour), ground), ground) > 1.01;
    const colours = [[style.fill, style.fillOpacity], [style.stroke, style.strokeOpacity]].filter(isInk);
    const [best] = colours.map(([colour, alpha]) => [colour, Number(alpha)]).sort((a, b) => ratio(over(rgba(b[0]), ground), ground) - ratio(over(rgba(a[0]), ground), ground));
    judge(`mark ${mark.getAttribute("class")}`, best?.[0] ?? "transparent", (best?.[1] ?? 0) * opacityOf(mark), ground, 3);
    n++;
  }
  const probe = document.body.appendChild(document.createElement("span"));
  probe.style.color = "var(--grid)"; // lines to read values by carry nothing themselves
  const grid = getComputedStyle(probe).color;
  probe.remove();
  for (const [colour, alpha, canvas] of inks.filter(([colour, , canvas]) => canvas.isConnected && String(rgba(colour)) !== String(rgba(grid)))) {
    judge(`ink ${colour} of ${canvas.closest("figure").querySelector("h3").textContent}`, colour, alpha, groundOf(canvas), 3);
    n++;
  }
  return { faint: [...new Set(faint)], n };
}
