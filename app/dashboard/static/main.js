// Which view the address asks for; the frame around it.

import { h } from "./dom.js";

const VIEWS = [
  [/^$/, () => import("./start.js")],
  [/^tuners\/([\w-]+)$/, () => import("./tuner.js")],
  [/^runs\/([\w-]+)$/, () => import("./run.js")],
  [/^compare$/, () => import("./compare.js")],
];

const main = document.getElementById("main");
let leave = null, visit = 0;

/** Show what stands behind the # of the address: a path, and a query that the view keeps its state in. */
async function route() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  if (path === "main") return main.focus();
  const mine = ++visit;
  leave?.();
  leave = null;
  main.setAttribute("aria-busy", "true");
  const [pattern, load] = VIEWS.find(([pattern]) => pattern.test(path)) ?? [];
  const place = h("div", { class: "view" });
  try {
    if (!load) throw new Error("There is no such page.");
    const { view } = await load();
    const left = await view(place, { id: pattern.exec(path)[1], search: new URLSearchParams(search), crumbs, isHere: () => mine === visit });
    if (mine !== visit) return left?.();
    leave = left;
  } catch (error) {
    if (mine !== visit) return;
    console.warn(error);
    crumbs();
    place.replaceChildren(h("section", { class: "empty" }, h("h1", null, "That did not work"), h("p", { role: "alert" }, error.message), h("a", { href: "#/" }, "To the start page")));
  }
  main.replaceChildren(place);
  main.removeAttribute("aria-busy");
  scrollTo(0, 0);
}

/** Where we are: the names after the product's, of which the last is the page's title. */
function crumbs(...steps) {
  document.title = [...steps.map((one) => one.text).reverse(), "tunetrack"].join(" · ");
  document.getElementById("crumbs").replaceChildren(...steps.flatMap(({ text, href }) =>
    [h("span", { class: "slash", "aria-hidden": true }, "/"), href ? h("a", { href }, text) : h("span", { "aria-current": "page" }, text)]));
}

const THEMES = ["light dark", "light", "dark"];
const theme = document.getElementById("theme");

function dress(choice) {
  document.documentElement.style.colorScheme = choice;
  theme.textContent = { "light dark": "Auto", light: "Light", dark: "Dark" }[choice];
  theme.setAttribute("aria-label", `Colours: ${theme.textContent}. Change.`);
  dispatchEvent(new Event("redraw"));
}

theme.addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(localStorage.getItem("theme") ?? THEMES[0]) + 1) % THEMES.length];
  localStorage.setItem("theme", next);
  dress(next);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("redraw")));
dress(THEMES.find((one) => one === localStorage.getItem("theme")) ?? THEMES[0]);

addEventListener("hashchange", route);
route();
