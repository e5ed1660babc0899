// The name, tags and note of a run or a tuner, to be changed. Fetched when somebody asks for it.

import { ask, Away, tellEdit } from "./api.js";
import { h } from "./dom.js";

const LABELS = { name: "Name", tags: "Tags, one on each line", note: "Note" };
const LOST = "Close without saving what you typed?";

const textOf = (value) => (Array.isArray(value) ? value.join("\n") : value);
const linesOf = (text) => text.split("\n").map((one) => one.trim());
const tagsOf = (text) => [...new Set(linesOf(text).filter(Boolean))];

function inputOf(field) {
  const tag = field === "name" ? "input" : "textarea";
  return h(tag, { name: field, autocomplete: "off", "aria-describedby": "edit-failure" });
}

/**
 * What there is now, and its version. To change nothing shows it, and refuses whoever may not change it before anything
 * is typed.
 */
async function read(path) {
  const response = await ask("PATCH", path, {});
  return [await response.json(), response.headers.get("ETag")];
}

/**
 * The fields of a thing as they are typed.
 *
 * @returns {Object}
 *   - inputs: by field
 *   - isTouched(): whether there is something to send
 *   - save(): send what was touched
 */
function draft(path, known) {
  const fields = Object.keys(LABELS).filter((field) => Object.hasOwn(known, field));
  const inputs = new Map(fields.map((field) => [field, inputOf(field)]));
  const began = new Map(); // a browser has line ends of its own
  for (const [field, input] of inputs) {
    input.value = textOf(known[field]);
    began.set(field, input.value);
  }
  const touched = () => fields.filter((field) => inputs.get(field).value !== began.get(field));
  const mine = (field) => (field === "tags" ? tagsOf(inputs.get(field).value) : inputs.get(field).value);

  const isClash = (field, now) => ![textOf(known[field]), textOf(mine(field))].includes(textOf(now[field]));

  /** Nobody's words are replaced unseen: what somebody else has made of a field meanwhile is told before it is. */
  async function save(refused) {
    const [now, etag] = await read(path);
    const clashes = touched().filter((field) => isClash(field, now));
    known = now;
    if (clashes.length) throw new Error(clashes.map((field) => clash(field, now[field])).join("\n"));
    // The same again is that of a proxy, which the service does not know.
    const headers = etag && etag !== refused ? { "If-Match": etag } : {};
    const sent = touched().map((field) => [field, inputs.get(field).value]);
    const changes = Object.fromEntries(touched().map((field) => [field, mine(field)]));
    try {
      await ask("PATCH", path, changes, headers);
    } catch (error) {
      if (error.code !== "precondition-failed") throw error;
      return save(etag);
    }
    known = { ...known, ...changes };
    for (const [field, text] of sent) began.set(field, text);
  }

  return { inputs, isTouched: () => touched().length > 0, save };
}

const clash = (field, value) =>
  `Somebody else has changed the ${field} meanwhile, to:\n` +
  `${textOf(value) || "(nothing)"}\nSave again to replace it.`;

/** What was refused, in words; the fields that are to blame are marked. */
function blame(error, inputs) {
  const wrong = (error.errors ?? []).filter(({ loc }) => inputs.has(loc[1]));
  for (const { loc } of wrong) inputs.get(loc[1]).setAttribute("aria-invalid", "true");
  if (error instanceof Away) return "The service does not answer. Try again in a moment.";
  return wrong.map(({ loc: [, field], message }) => `The ${field}: ${message}.`).join("\n") || error.message;
}

let nAsked = 0;
let nOver = 0; // of those that were asked for: none of them is opened any more

/**
 * Ask what the thing at a path is to be called, and save it; resolves when the dialog is closed. Who has asked twice is
 * shown one; who has gone elsewhere meanwhile (`isHere()`), none.
 */
export async function edit(path, word, isHere) {
  const mine = ++nAsked;
  const [known] = await read(path);
  if (mine <= nOver || !isHere()) return null;
  nOver = nAsked;
  const { inputs, isTouched, save } = draft(path, known);

  let isSaving = false;
  async function onsubmit(event) {
    event.preventDefault();
    if (isSaving) return;
    isSaving = true;
    failure.textContent = "";
    for (const input of inputs.values()) input.removeAttribute("aria-invalid");
    try {
      if (isTouched()) await save();
    } catch (error) {
      failure.textContent = blame(error, inputs);
      form.querySelector("[aria-invalid]")?.focus();
      return;
    } finally {
      isSaving = false;
    }
    if (!isTouched()) dialog.close(); // or more was typed while it was saved
    tellEdit();
  }

  function leave(event) {
    event.preventDefault();
    if (!isTouched() || confirm(LOST)) dialog.close();
  }

  /** From within a text of several lines, too. */
  const onkeydown = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.requestSubmit();
  const stay = (event) => isTouched() && event.preventDefault();
  const failure = h("p", { class: "failure", role: "alert", id: "edit-failure" });
  const form = h(
    "form",
    { onsubmit },
    h("h1", { id: "edit-title" }, `Edit this ${word}`),
    [...inputs].map(([field, input]) => h("label", null, LABELS[field], input)),
    failure,
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", onclick: leave }, "Cancel"),
      h("button", { class: "first" }, "Save"),
    ),
  );
  const dialog = h("dialog", { class: "edit", "aria-labelledby": "edit-title", oncancel: leave, onkeydown }, form);
  const close = () => dialog.close();
  document.body.append(dialog);
  dialog.showModal();
  addEventListener("hashchange", close);
  addEventListener("beforeunload", stay);
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      removeEventListener("hashchange", close);
      removeEventListener("beforeunload", stay);
      dialog.remove();
      resolve();
    }),
  );
}
