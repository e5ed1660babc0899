// Signing in with a key, which the service turns into a cookie, and out again. Fetched when a key is asked for.

import { call, Problem, SESSION, SIGNED_IN } from "./api.js";
import { h } from "./dom.js";

const ASKED = "This service asks for a key. Its operator makes one with tunetrack keys create.";
const ENDS = "That ends after 30 days, or when the key expires or is revoked.";

/**
 * Who is signed in, as the pages remember it: "" where somebody has signed out, null where a key is asked for. The key
 * itself is where no script can read it.
 */
function remember(name) {
  name === null ? localStorage.removeItem(SIGNED_IN) : localStorage.setItem(SIGNED_IN, name);
  dispatchEvent(new Event("session"));
}

let waiting = null;

/** Ask for a key, once, whoever waits for it. */
export function signIn() {
  waiting ??= new Promise(open);
  return waiting;
}

function open(resolve) {
  const before = localStorage.getItem(SIGNED_IN);
  remember(null);
  const key = h("input", {
    type: "password",
    name: "key",
    required: true,
    autofocus: true,
    autocomplete: "current-password",
    spellcheck: "false",
  });
  const failure = h("p", { class: "failure", role: "alert" });
  const submit = h("button", { class: "first" }, "Sign in");
  const why = before ? `You were signed in as “${before}”. ${ENDS}` : ASKED;
  const dialog = h(
    "dialog",
    { class: "sign-in", "aria-labelledby": "sign-in-title" },
    h(
      "form",
      { onsubmit },
      h("h1", { id: "sign-in-title" }, before ? "Sign in again" : "Sign in"),
      h("p", null, why),
      h("label", null, "API key", key),
      failure,
      submit,
    ),
  );

  async function onsubmit(event) {
    event.preventDefault();
    submit.disabled = true;
    try {
      const session = await call("POST", SESSION, { key: key.value.trim() });
      remember(`${session.name} (${session.scope})`);
    } catch (error) {
      failure.textContent =
        error instanceof Problem ? error.message : "The service does not answer. Try again in a moment.";
      key.select();
      return;
    } finally {
      submit.disabled = false;
    }
    finish();
  }

  function finish() {
    removeEventListener("storage", hear);
    waiting = null;
    dialog.close();
    dialog.remove();
    resolve();
  }

  /** The cookie of another window is this one's too. */
  const hear = ({ key: changed, newValue }) => changed === SIGNED_IN && newValue && finish();
  addEventListener("storage", hear);
  // There is nothing to be seen without it: it comes back.
  dialog.addEventListener("close", () => dialog.isConnected && waiting && dialog.showModal());
  document.body.append(dialog);
  dialog.showModal();
}

/** Forget the key, and all that it has shown. */
export async function signOut() {
  await call("DELETE", SESSION);
  remember("");
  location.reload();
}
