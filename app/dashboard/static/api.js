// The public API: requests, their problems, and the one event stream of a page.

/** A refusal, as the service words it. */
export class Problem extends Error {
  constructor(body, status) {
    super(body.detail ?? `The service answered ${status}.`);
    Object.assign(this, { status, code: body.code, position: body.position, errors: body.errors ?? [] });
  }
}

/** Nobody answered. */
export class Away extends Error {
  message = "The service does not answer.";
}

/** What catches a request, or a module asked for later, that nobody answered. */
export const away = () => {
  throw new Away();
};

/** Where a path of the service is, which may be below one of a proxy's: this page is its root. */
export const here = (path) => String(new URL(`.${path}`, document.baseURI));

export const SESSION = "/v1/session";
/** What a browser remembers who is signed in by: below other paths of this host there may be other services. */
export const SIGNED_IN = `session ${new URL(here("/")).pathname}`;
export const MOST_COMPARED = 100; // in one request

/** The command that sends a body to a path; where somebody had to sign in it needs a key, too. */
export function curl(path, body) {
  const key = localStorage.getItem(SIGNED_IN) ? ` -H "Authorization: Bearer $TUNETRACK_KEY"` : "";
  return `curl ${here(path)}${key} -H 'Content-Type: application/json' -d '${body}'`;
}

/** The response to a request; after a 401 somebody signs in, and it is asked again. */
export async function ask(method, path, body, headers = {}) {
  const response = await fetch(here(path), {
    method,
    headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(away);
  if (response.ok) return response;
  if (response.status === 401 && path !== SESSION) {
    show("out");
    await (await import("./session.js")).signIn();
    return ask(method, path, body, headers);
  }
  throw new Problem(await response.json().catch(() => ({})), response.status);
}

/** What a request is answered. */
export async function call(method, path, body) {
  const response = await ask(method, path, body);
  return response.status === 204 ? null : response.json();
}

export const get = (path) => call("GET", path);

/** The query of a path; null is left out, a list repeats. */
export function query(values) {
  const pairs = Object.entries(values)
    .flatMap(([key, value]) => [value].flat().map((one) => [key, one]))
    .filter(([, one]) => one !== null && one !== undefined && one !== "");
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

// ------------------------------------------------------------------------------------------------------- reading again

// No event tells that something was renamed, paused or deleted. All windows of this browser are told at once; whoever
// else looks finds it when it is time to read again.
const UNTOLD_MS = 30_000;
const edits = new BroadcastChannel("tunetrack edits");
edits.onmessage = () => dispatchEvent(new Event("edit"));

/** Let all that is shown be read again, in every window: somebody has changed something here. */
export function tellEdit() {
  edits.postMessage(null);
  dispatchEvent(new Event("edit"));
}

const IDLE_TIMES = 9;
const LONGEST_IDLE_MS = 3000;

/**
 * What reads again when it is asked to, when something was edited, and now and then by itself. Never twice at once: no
 * old answer comes after a new one, and what happened meanwhile is read after it. What takes long is not read as often:
 * whoever looks on must not keep the service from its work.
 *
 * @param {() => Promise} read - reads and shows
 * @returns {Object}
 *   - soon(ms): read in so many milliseconds, once for all who ask until then
 *   - now(): read at once, or as soon as what is under way is there
 *   - stop(): never again
 */
export function refresher(read) {
  let timer = null;
  let isReading = false;
  let isDue = false;
  let isOver = false;
  let tookMs = 0;
  const soon = (ms) => {
    if (!isOver) timer ??= setTimeout(onTime, Math.max(ms, Math.min(IDLE_TIMES * tookMs, LONGEST_IDLE_MS)));
  };
  function onTime() {
    timer = null;
    isReading ? soon(1000) : now();
  }
  async function now() {
    isDue = isReading;
    if (isReading || isOver) return;
    clearTimeout(timer);
    timer = null;
    isReading = true;
    const began = performance.now();
    await read().finally(() => {
      isReading = false;
      tookMs = performance.now() - began;
    });
    if (isDue) now();
  }
  const pulse = setInterval(() => document.hidden || soon(250), UNTOLD_MS);
  addEventListener("edit", now);
  function stop() {
    isOver = true;
    clearTimeout(timer);
    clearInterval(pulse);
    removeEventListener("edit", now);
  }
  return { soon, now, stop };
}

// -------------------------------------------------------------------------------------------------------------- stream

const TYPES = [
  "run_start",
  "epoch_end",
  "training_end",
  "run_crash",
  "run_resume",
  "run_delete",
  "trial_start",
  "trial_stale",
  "trial_end",
  "tuner_end",
];

const LONG_MS = 60_000;
const AGAIN_MS = 3000;
const ASK_MS = 1000;
const MOST_EVENTS = 1000;

const followers = new Set(); // a page that comes late is one beside that which is open

/** How long to wait after a page of events, null where nobody answered: behind a full one there are more. */
function pauseAfter(page) {
  if (!page) return AGAIN_MS;
  return page.items.length < MOST_EVENTS ? ASK_MS : 0;
}

/**
 * Follow events, by a stream where there is a seat for one; whatever comes between, each is told once.
 *
 * @param {Object} filter - of which events, as the query of the API has it
 * @param {number} after - the last event that is known already
 * @param {(event: Object) => void} onEvent
 * @param {() => void} onReset - all must be read again: this store has not come so far (it is another one), or nobody
 *   has looked for long
 * @param {() => void} onBack - the service answers again
 * @returns {() => void} what ends it
 */
export function follow(filter, after, onEvent, onReset, onBack = () => null) {
  let source = null;
  let last = after;
  let again = null;
  let leftAt = Date.now();
  let nTurns = 0;
  let isUnsure = false;
  const hear = (event, id) => {
    last = id;
    onEvent(event);
  };

  function live() {
    if (isLost()) {
      show("back");
      onBack();
    } else if (!isLive()) show("live");
  }

  function stream() {
    source = new EventSource(here(`/v1/events/stream${query({ ...filter, after: last })}`));
    for (const type of TYPES)
      source.addEventListener(type, ({ data, lastEventId }) => hear(JSON.parse(data), lastEventId));
    source.addEventListener("reset", onReset);
    source.onopen = live;
    source.onerror = () => {
      show("lost");
      // A browser gives up where it was answered anything but a stream, as a proxy does while the service is away.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(onReset, AGAIN_MS);
    };
  }

  async function ask() {
    const mine = nTurns;
    const page = await get(`/v1/events${query({ ...filter, after: last, limit: MOST_EVENTS })}`).catch(() => null);
    if (mine !== nTurns) return;
    if (page && isUnsure) return onReset(); // who answers again may be another store
    page ? live() : show("lost");
    isUnsure = !page;
    for (const event of page?.items ?? []) if (mine === nTurns) hear(event, event.event_id);
    if (mine !== nTurns) return;
    again = setTimeout(ask, pauseAfter(page));
  }

  const open = () => (isSeated ? stream() : ask());

  function close() {
    nTurns++;
    clearTimeout(again);
    source?.close();
  }

  function turn() {
    close();
    if (document.hidden) leftAt = Date.now();
    else if (Date.now() - leftAt > LONG_MS) onReset();
    else open();
  }

  function sit() {
    if (document.hidden) return;
    close();
    open();
  }

  document.addEventListener("visibilitychange", turn);
  addEventListener("seat", sit);
  followers.add(close);
  sit();
  return () => {
    document.removeEventListener("visibilitychange", turn);
    removeEventListener("seat", sit);
    close();
    followers.delete(close);
    if (!followers.size) show("");
  };
}

// --------------------------------------------------------------------------------------------------------------- seats
//
// All windows of a browser share six connections to a host (but over HTTP/2), and a stream holds one. So each window
// that is seen says so to the others, again and again, and those that have been seen for longest have a seat; the rest
// ask for events. Nobody relies on another: each reads the log for itself, from the last event that it had.

const N_SEATS = ["h2", "h3"].includes(performance.getEntriesByType("navigation")[0]?.nextHopProtocol) ? Infinity : 4;
const BEAT_MS = 4000;
const GONE_MS = 3 * BEAT_MS;

const others = new Map(); // when each was last heard of, by its name
const channel = new BroadcastChannel("tunetrack windows");
let name = null; // of this one while it is seen; those that were seen earlier come before it
let isSeated = true; // "seat" is dispatched when that has changed

const say = (isSeen) => name && channel.postMessage({ name, isSeen });

function judge() {
  for (const [other, heardAt] of others) if (Date.now() - heardAt > GONE_MS) others.delete(other);
  const before = isSeated;
  isSeated = [...others.keys()].filter((other) => other < name).length < N_SEATS;
  if (isSeated !== before) dispatchEvent(new Event("seat"));
}

channel.onmessage = ({ data: { name: other, isSeen } }) => {
  if (isSeen && !others.has(other)) say(true); // it has not heard of this one
  isSeen ? others.set(other, Date.now()) : others.delete(other);
  if (name) judge();
};

/** A window that is seen again comes after those that were seen meanwhile. */
function attend() {
  say(false);
  name = document.hidden ? null : `${Date.now()} ${Math.random()}`;
  beat();
}

function beat() {
  say(true);
  if (name) judge();
}

document.addEventListener("visibilitychange", attend);
setInterval(beat, BEAT_MS);
attend();

// ---------------------------------------------------------------------------------------------------------- connection

const SAID = { out: "Signed out", live: "Live", back: "Live again", lost: "Connection lost, trying again …", "": "" };
const CALM_MS = 4000;

const place = document.getElementById("connection");
let calm = null;

const isLost = () => place.className === "lost";
const isLive = () => place.className === "live";

/** What the header says of the connection; that it is back is said for a while. */
function show(state) {
  clearTimeout(calm);
  place.className = state === "back" ? "live" : state;
  place.textContent = SAID[state];
  if (state === "back") calm = setTimeout(() => show("live"), CALM_MS);
}
