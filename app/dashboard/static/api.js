// The public API: requests, their problems, and the one event stream of a page.

/** A refusal, as the service words it. */
export class Problem extends Error {
  constructor(body, status) {
    super(body.detail ?? `The service answered ${status}.`);
    Object.assign(this, { status, code: body.code, position: body.position });
  }
}

/** Nobody answered. */
export class Away extends Error {
  message = "The service does not answer.";
}

export const SESSION = "/v1/session";
export const MOST_COMPARED = 100; // in one request

/** The answer to a request; after a 401 somebody signs in, and it is asked again. */
export async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => { throw new Away(); });
  if (response.ok) return response.status === 204 ? null : response.json();
  if (response.status === 401 && path !== SESSION) {
    show("out");
    await (await import("./session.js")).signIn();
    return call(method, path, body);
  }
  throw new Problem(await response.json().catch(() => ({})), response.status);
}

export const get = (path) => call("GET", path);

/** The query of a path; null is left out, a list repeats. */
export function query(values) {
  const pairs = Object.entries(values).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).filter((one) => one !== null && one !== undefined && one !== "").map((one) => [key, one]));
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

// ------------------------------------------------------------------------------------------------------------- stream

const TYPES = ["run_start", "epoch_end", "training_end", "run_crash", "run_resume", "run_delete",
  "trial_start", "trial_stale", "trial_end", "tuner_end"];

const LONG_MS = 60_000;

/**
 * Follow the events after a number: the browser comes back by itself, with the last one that it had.
 * `onReset`: this store has not come so far (it is another one), or nobody has looked for long; all must be read again.
 */
export function follow(filter, after, onEvent, onReset) {
  let source = null, last = after, wasLost = false, again = null, leftAt = Date.now();
  const hear = (message) => {
    last = message.lastEventId;
    onEvent(JSON.parse(message.data));
  };

  function open() {
    source = new EventSource(`/v1/events/stream${query({ ...filter, after: last })}`);
    for (const type of TYPES) source.addEventListener(type, hear);
    source.addEventListener("reset", onReset);
    source.onopen = () => {
      show(wasLost ? "back" : "live");
      wasLost = false;
    };
    source.onerror = () => {
      wasLost = true;
      show("lost");
      // A browser gives up where it was answered anything but a stream, as a proxy does while the service is away.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(onReset, 3000);
    };
  }

  function close() {
    clearTimeout(again);
    source?.close();
  }

  // All tabs of a browser share six connections to a host: one that nobody sees leaves its own to the others.
  function turn() {
    close();
    if (document.hidden) leftAt = Date.now();
    else if (Date.now() - leftAt > LONG_MS) onReset();
    else open();
  }

  document.addEventListener("visibilitychange", turn);
  if (!document.hidden) open();
  return () => {
    document.removeEventListener("visibilitychange", turn);
    close();
    show("");
  };
}

const SAID = { out: "Signed out", live: "Live", back: "Live again", lost: "Connection lost, trying again …", "": "" };
let calm = null;

function show(state) {
  const place = document.getElementById("connection");
  clearTimeout(calm);
  place.className = state === "back" ? "live" : state;
  place.textContent = SAID[state];
  if (state === "back") calm = setTimeout(() => show("live"), 4000);
}
