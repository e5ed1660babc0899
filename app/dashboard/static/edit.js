// The name, tags and note of a run or a tuner, to be changed. Fetched when somebody asks for it.

import { ask, Away, tellEdit } from "./api.js";
import { h } from "./dom.js";

const LABELS = { name: "Name", tags: "Tags, one on each line", note: "Note" };
const LOST = "Close without saving what you typed?";

const textOf = (value) => (Array.isArray(value) ? value.join("\n") : value);
const tagsOf = (text) => [
  ...new Set(
    text
      .split("\n")
      .map((one) => one.trim())
      .filter(Boolean),
  ),
];

/** Ask what the thing at a path is to be called, and save it; resolves when the dialog is closed. */
export async function edit(path, word) {
  // To change nothing shows it as it is now, and refuses whoever may not change it before anything is typed.
  const read = async () => {
    const response = await ask("PATCH", path, {});
    return [await response.json(), response.headers.get("ETag")];
  };
  let [known] = await read();
  if (document.querySelector("dialog[open]")) return null;
  const inputs = new Map(
    Object.keys(LABELS)
      .filter((field) => Object.hasOwn(known, field))
      .map((field) => [
        field,
        h(field === "name" ? "input" : "textarea", {
          name: field,
          autocomplete: "off",
          "aria-describedby": "edit-failure",
        }),
      ]),
  );
  const began = new Map(); // a browser has line ends of its own
  for (const [field, input] of inputs) {
    input.value = textOf(known[field]);
    began.set(field, input.value);
  }
  const touched = () => [...inputs.keys()].filter((field) => inputs.get(field).value !== began.get(field));
  const mine = (field) => (field === "tags" ? tagsOf(inputs.get(field).value) : inputs.get(field).value);

  /** Nobody's words are replaced unseen: what somebody else has made of a field meanwhile is told before it is. */
  async function save(refused) {
    const [now, etag] = await read();
    const clashes = touched().filter(
      (field) => ![textOf(known[field]), textOf(mine(field))].includes(textOf(now[field])),
    );
    known = now;
    if (clashes.length)
      throw new Error(
        clashes
          .map(
            (field) =>
              `Somebody else has changed the ${field} meanwhile, to:\n${textOf(now[field]) || "(nothing)"}\nSave again to replace it.`,
          )
          .join("\n"),
      );
    // The same again is that of a proxy, which the service does not know.
    await ask(
      "PATCH",
      path,
      Object.fromEntries(touched().map((field) => [field, mine(field)])),
      etag && etag !== refused ? { "If-Match": etag } : {},
    ).catch((error) => {
      if (error.code !== "precondition-failed") throw error;
      return save(etag);
    });
  }

  let isSaving = false;
  async function onsubmit(event) {
    event.preventDefault();
    if (isSaving) return;
    isSaving = true;
    failure.textContent = "";
    for (const input of inputs.values()) input.removeAttribute("aria-invalid");
    try {
      if (touched().length) await save();
    } catch (error) {
      const wrong = (error.errors ?? []).filter(({ loc }) => inputs.has(loc[1]));
      for (const { loc } of wrong) inputs.get(loc[1]).setAttribute("aria-invalid", "true");
      failure.textContent =
        error instanceof Away
          ? "The service does not answer. Try again in a moment."
          : wrong.map(({ loc: [, field], message }) => `The ${field}: ${message}.`).join("\n") || error.message;
      form.querySelector("[aria-invalid]")?.focus();
      return;
    } finally {
      isSaving = false;
    }
    dialog.close();
    tellEdit();
  }

  function leave(event) {
    event.preventDefault();
    if (!touched().length || confirm(LOST)) dialog.close();
  }

  /** From within a text of several lines, too. */
  const onkeydown = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.requestSubmit();
  const stay = (event) => touched().length && event.preventDefault();
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
