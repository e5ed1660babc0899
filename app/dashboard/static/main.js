// Which view the address asks for, and how it comes in the place of the one before; the frame around it.

import { away, Away, SIGNED_IN } from "./api.js";
import { h, notice } from "./dom.js";

const VIEWS = [
  [/^$/, () => import("./start.js")],
  [/^tuners\/([\w-]+)$/, () => import("./tuner.js")],
  [/^runs\/([\w-]+)$/, () => import("./run.js")],
  [/^compare$/, () => import("./compare.js")],
];
const AGAIN_MS = 3000;
const SCROLLED_MS = 400;
const WRITE_MS = 200;

const main = document.getElementById("main");
let leave = null;
let visit = 0;
let answered = null; // the part of the address that the visit is to, or that its view has put there
let shown = null;
let fields = []; // of the view that was here last, also while it is told why another does not come
let write = () => null;
let scrolling = null;

/** Show what stands behind the # of the address: a path, and a query that the view keeps its state in. */
async function route(event) {
  clearTimeout(scrolling);
  scrolling = null;
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const mine = ++visit;
  answered = location.hash;
  const isHere = () => mine === visit && answered === location.hash; // which changes before anybody is told
  const address = remembered(path, new URLSearchParams(search), isHere);
  const isSame = path === shown;
  const y = event?.isTrusted === false ? null : history.state?.y;
  leave?.();
  leave = null;
  main.setAttribute("aria-busy", "true");
  const place = h("div", { class: "view" });
  try {
    const left = await open(path, place, { crumbs: (...steps) => isHere() && crumbs(...steps), isHere, address });
    if (!isHere()) return left?.();
    leave = left;
  } catch (error) {
    if (!isHere()) return;
    console.warn(error);
    crumbs();
    const isAway = error instanceof Away || error.status >= 502;
    if (isAway) setTimeout(() => isHere() && route(), AGAIN_MS);
    place.replaceChildren(failed(error, isAway));
  }
  const held = settle(place, isSame);
  main.removeAttribute("aria-busy");
  const isFocusLost = document.activeElement === document.body; // what had it is gone
  if (event?.isTrusted && (held || !isSame) && isFocusLost) main.focus({ preventScroll: true });
  if (typeof y === "number" || !isSame) scrollTo(0, y ?? 0);
  shown = path;
}

/** Let the view of a path fill a place; resolves to what leaves it. */
async function open(path, place, tools) {
  const [pattern, load] = VIEWS.find(([pattern]) => pattern.test(path)) ?? [];
  if (!load) throw new Error("There is no such page.");
  const { view } = await load().catch(away);
  return view(place, { id: pattern.exec(path)[1], ...tools });
}

const failed = (error, isAway) =>
  notice(
    "That did not work",
    h("p", { role: "alert" }, error.message, isAway && " This page tries again every few seconds."),
    h("a", { href: "#/" }, "To the start page"),
  );

/**
 * Show a place instead of the one before; on the same page what was typed there, and not sent, is not lost. Answers
 * what of the one before had the focus.
 */
function settle(place, isSame) {
  const held = main.contains(document.activeElement) ? document.activeElement : null;
  const heirOf = ({ name }) => place.querySelector(`[name="${CSS.escape(name)}"]`);
  const last = [...main.querySelectorAll("input[name]")];
  if (!isSame) fields = [];
  else if (last.length) fields = last;
  for (const field of fields) {
    const heir = heirOf(field);
    if (heir?.defaultValue === field.defaultValue) heir.value = field.value;
  }
  main.replaceChildren(place);
  if (isSame && held?.name) {
    const heir = heirOf(held); // somebody who searched goes on where they were
    heir?.focus({ preventScroll: true });
    heir?.setSelectionRange?.(held.selectionStart, held.selectionEnd);
  }
  return held;
}

/**
 * How a view is looked at stands in the address, so that it can be sent to somebody; null is as ever. What is chosen
 * while another view of the same path is about to come is chosen for that.
 */
function remembered(path, search, isHere) {
  const chosen = new Map(); // what does not stand there yet
  let timer = null;
  const isThere = () => location.hash.split("?")[0] === `#/${path}`;

  function put() {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    const isShown = isHere();
    if (!isShown && !isThere()) return;
    const next = asked();
    for (const [key, value] of chosen) set(next, key, value);
    chosen.clear();
    history.replaceState(history.state, "", `#/${path}${next.size ? `?${next}` : ""}`);
    if (isShown) answered = location.hash;
    else dispatchEvent(new Event("hashchange"));
  }

  /** As it is by now, which may be of a view of this path that was asked for and has not come yet. */
  function asked() {
    return new URLSearchParams(isThere() ? location.hash.split("?")[1] : search);
  }

  function keep(key, value) {
    set(search, key, value);
    chosen.set(key, value);
    timer ??= setTimeout(put, WRITE_MS);
  }

  write = put;
  return { search, asked, keep };
}

const set = (search, key, value) => (value === null ? search.delete(key) : search.set(key, value));

function keepPlace() {
  clearTimeout(scrolling);
  scrolling = null;
  history.replaceState({ y: scrollY }, "");
}

function onscroll() {
  scrolling ??= setTimeout(keepPlace, SCROLLED_MS);
}

function onclick() {
  write(); // before a link leads away
  if (scrolling !== null) keepPlace();
}

// --------------------------------------------------------------------------------------------------------------- frame

/** Where we are: the names after the product's, of which the last is the page's title. */
function crumbs(...steps) {
  const title = [...steps.map((one) => one.text).reverse(), "tunetrack"].join(" · ");
  if (title !== document.title) document.title = title;
  const parts = steps.flatMap(({ text, href }) => [
    h("span", { class: "slash", "aria-hidden": true }, "/"),
    href ? h("a", { href, dir: "auto" }, text) : h("span", { "aria-current": "page", dir: "auto" }, text),
  ]);
  document.getElementById("crumbs").replaceChildren(...parts);
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
  const at = THEMES.indexOf(localStorage.getItem("theme") ?? THEMES[0]);
  const next = THEMES[(at + 1) % THEMES.length];
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
  const name = localStorage.getItem(SIGNED_IN);
  const attributes = { type: "button", class: "quiet", title: `Signed in as ${name}`, onclick: leaveSession };
  document.getElementById("session").replaceChildren(name ? h("button", attributes, "Sign out") : "");
}

/** Whoever goes away from a machine must know whether the key stays. */
const leaveSession = () =>
  import("./session.js")
    .catch(away)
    .then((one) => one.signOut())
    .catch((error) => alert(`You are still signed in. ${error.message}`));

addEventListener("session", showSession);
addEventListener("storage", ({ key, newValue }) => {
  if (key !== SIGNED_IN) return;
  newValue === "" ? location.reload() : showSession(); // where a key has ended, what was typed here stays
});
showSession();

// --------------------------------------------------------------------------------------------------------------- start

// Who comes back is where they were: the browser would scroll before there is anything to scroll to.
history.scrollRestoration = "manual";
addEventListener("scroll", onscroll, { passive: true });
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the view's
  main.focus();
});
addEventListener("click", onclick, true);
addEventListener("hashchange", route);
route();
