// Which view the address asks for; the frame around it.

import { Away } from "./api.js";
import { h } from "./dom.js";

const VIEWS = [
  [/^$/, () => import("./start.js")],
  [/^tuners\/([\w-]+)$/, () => import("./tuner.js")],
  [/^runs\/([\w-]+)$/, () => import("./run.js")],
  [/^compare$/, () => import("./compare.js")],
];

const main = document.getElementById("main");
let leave = null;
let visit = 0;
let shown = null;
let write = () => null;

/** Show what stands behind the # of the address: a path, and a query that the view keeps its state in. */
async function route(event) {
  clearTimeout(scrolling);
  scrolling = null;
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const mine = ++visit;
  const address = remembered(path, new URLSearchParams(search), () => mine === visit);
  const isSame = path === shown;
  const y = event?.isTrusted === false ? null : history.state?.y;
  leave?.();
  leave = null;
  main.setAttribute("aria-busy", "true");
  const [pattern, load] = VIEWS.find(([pattern]) => pattern.test(path)) ?? [];
  const place = h("div", { class: "view" });
  try {
    if (!load) throw new Error("There is no such page.");
    const { view } = await load().catch(() => {
      throw new Away();
    });
    const left = await view(place, {
      id: pattern.exec(path)[1],
      crumbs: (...steps) => mine === visit && crumbs(...steps),
      address,
    });
    if (mine !== visit) return left?.();
    leave = left;
  } catch (error) {
    if (mine !== visit) return;
    console.warn(error);
    crumbs();
    const isAway = error instanceof Away || error.status >= 502;
    if (isAway) setTimeout(() => mine === visit && route(), 3000);
    place.replaceChildren(
      h(
        "section",
        { class: "empty" },
        h("h1", null, "That did not work"),
        h("p", { role: "alert" }, error.message, isAway && " This page tries again every few seconds."),
        h("a", { href: "#/" }, "To the start page"),
      ),
    );
  }
  const held = main.contains(document.activeElement) ? document.activeElement : null;
  const heirOf = ({ name }) => place.querySelector(`[name="${CSS.escape(name)}"]`);
  for (const field of isSame ? main.querySelectorAll("input[name]") : []) {
    // what was typed there, and not sent, is not lost
    const heir = heirOf(field);
    if (heir?.defaultValue === field.defaultValue) heir.value = field.value;
  }
  main.replaceChildren(place);
  if (isSame && held?.name) {
    // somebody who searched goes on where they were
    const heir = heirOf(held);
    heir?.focus({ preventScroll: true });
    heir?.setSelectionRange?.(held.selectionStart, held.selectionEnd);
  }
  main.removeAttribute("aria-busy");
  if (event?.isTrusted && (held || !isSame) && document.activeElement === document.body)
    main.focus({ preventScroll: true }); // what had it is gone
  if (typeof y === "number" || !isSame) scrollTo(0, y ?? 0);
  shown = path;
}

// Who comes back is where they were: the browser would scroll before there is anything to scroll to.
history.scrollRestoration = "manual";
let scrolling = null;

function keepPlace() {
  clearTimeout(scrolling);
  scrolling = null;
  history.replaceState({ y: scrollY }, "");
}

addEventListener(
  "scroll",
  () => {
    scrolling ??= setTimeout(keepPlace, 400);
  },
  { passive: true },
);

/** How a view is looked at stands in the address, so that it can be sent to somebody; null is as ever. */
function remembered(path, search, isHere) {
  let timer = null;
  write = () => {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    if (isHere()) history.replaceState(history.state, "", `#/${path}${search.size ? `?${search}` : ""}`);
  };
  return {
    search,
    keep(key, value) {
      value === null ? search.delete(key) : search.set(key, value);
      timer ??= setTimeout(write, 200);
    },
  };
}

/** Where we are: the names after the product's, of which the last is the page's title. */
function crumbs(...steps) {
  const title = [...steps.map((one) => one.text).reverse(), "tunetrack"].join(" · ");
  if (title !== document.title) document.title = title;
  document
    .getElementById("crumbs")
    .replaceChildren(
      ...steps.flatMap(({ text, href }) => [
        h("span", { class: "slash", "aria-hidden": true }, "/"),
        href ? h("a", { href, dir: "auto" }, text) : h("span", { "aria-current": "page", dir: "auto" }, text),
      ]),
    );
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
for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"])
  matchMedia(query).addEventListener("change", () => dispatchEvent(new Event("redraw")));
const dressAsChosen = () => dress(THEMES.find((one) => one === localStorage.getItem("theme")) ?? THEMES[0]);
dressAsChosen();

// Paper is light. The charts hear of it after this.
addEventListener("beforeprint", () => {
  document.documentElement.style.colorScheme = "light";
  dispatchEvent(new Event("redraw"));
});
addEventListener("afterprint", dressAsChosen);

/** Signing out is for those who signed in. */
function showSession() {
  const name = localStorage.getItem("session");
  const place = document.getElementById("session");
  place.replaceChildren(
    name
      ? h(
          "button",
          { type: "button", class: "quiet", title: `Signed in as ${name}`, onclick: leaveSession },
          "Sign out",
        )
      : "",
  );
}

/** Whoever goes away from a machine must know whether the key stays. */
const leaveSession = () =>
  import("./session.js")
    .catch(() => {
      throw new Away();
    })
    .then((one) => one.signOut())
    .catch((error) => alert(`You are still signed in. ${error.message}`));

addEventListener("session", showSession);
addEventListener("storage", ({ key, newValue }) => key === "session" && (newValue ? showSession() : location.reload()));
showSession();

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the view's
  main.focus();
});
addEventListener(
  "click",
  () => {
    // before a link leads away
    write();
    if (scrolling !== null) keepPlace();
  },
  true,
);
addEventListener("hashchange", route);
route();
