// What a filter finds in a list of the service: a field to ask with, what is wrong with it, and more when that is asked
// for.

import { Away, get, query } from "./api.js";
import { fill, h } from "./dom.js";

const MOST_AT_ONCE = 1000;
const NEXT = 100;

/** A field for what is written like a filter. */
export const field = (name, value, placeholder, others) =>
  h("input", { name, value, placeholder, spellcheck: "false", autocapitalize: "off", autocomplete: "off", ...others });

/** What is wrong with a filter, pointed at. */
const pointed = (filter, at) =>
  h("code", { class: "pointer-line" }, filter.slice(0, at), h("mark", null, filter[at] ?? "⏎"), filter.slice(at + 1));

/**
 * A list that is read page after page, and from its start again while somebody looks on. In the address stand the
 * filter, and how many are shown.
 *
 * @param {Object} how
 * @param {string} how.name - of the list, as it is read; in the address: how many are shown
 * @param {string} how.path - of the list in the API
 * @param {string} how.key - of the filter in the address
 * @param {string} how.placeholder - of the filter's field
 * @param {number} how.size - how many are shown at first
 * @param {string} how.order - to ask for
 * @param {string[]} how.leaves - what stands in the address and a new search does not keep
 * @param {Element[]} how.others - fields beside the filter's
 * @param {() => Element[]} how.hint - what is said while there is nothing to find
 * @param {(page: Object) => Object[]} how.itemsOf
 * @param {(item: Object) => string} how.idOf
 * @param {{search: URLSearchParams, asked: Function, keep: Function}} how.address
 * @param {() => boolean} how.isHere - whether no other view was asked for
 * @param {() => any} how.show - what is there now
 * @returns {Object}
 *   - form, failure, more, empty: elements: to ask with; what is wrong; a button for more; what stands for no items
 *   - items: as far as they are read
 *   - token: of the page after them
 *   - turn(order): read in another order
 *   - read(): read from the start; the page, or null where the filter is refused
 *   - trim(): leave as many as are read at once
 *   - tell(error): say what failed
 *   - forgive(): try again what failed
 */
export function search({
  name,
  path,
  key,
  placeholder,
  size,
  order = "",
  leaves = [],
  others = [],
  hint,
  itemsOf = (page) => page.items,
  idOf,
  address,
  isHere,
  show,
}) {
  const filter = address.search.get(key) ?? "";
  const failure = h("p", { class: "failure", id: `${name}-failure`, role: "alert" });
  const more = h("button", { type: "button", hidden: true, onclick: onMore }, `More ${name}`);
  const empty = h("div");
  const input = field(key, filter, placeholder, { type: "search", "aria-describedby": failure.id });
  const form = h(
    "form",
    { class: "search", role: "search", "aria-label": `Search ${name}`, onsubmit },
    h("label", null, "Filter", input),
    others,
    h("button", { name: `search ${name}` }, "Search"),
  );
  let turned = null;
  const found = { form, failure, more, empty, items: [], token: null, turn, read, trim, tell, forgive };

  const ask = (values) => get(`${path}${query({ filter, order_by: order, ...values })}`);

  function onsubmit(event) {
    event.preventDefault();
    const next = address.asked();
    for (const one of [name, ...leaves]) next.delete(one);
    for (const field of form.querySelectorAll("input")) {
      const text = (field.defaultValue = field.value.trim()); // what is typed from now on is not sent
      text ? next.set(field.name, text) : next.delete(field.name);
    }
    const hash = `#/${query(Object.fromEntries(next))}`;
    if (hash === location.hash) read().catch(tell);
    else location.hash = hash;
  }

  /** In another order, the first ones of which the service knows. */
  function turn(next) {
    order = next;
    trim(); // or those of the order before would stay among them
    turned = read().catch(tell);
  }

  async function read() {
    const asked = order;
    const before = found.items;
    const wanted = Number(address.search.get(name)) || size;
    let page = null;
    try {
      page = await ask({ page_size: Math.min(Math.max(wanted, before.length), MOST_AT_ONCE) });
    } catch (error) {
      if (error instanceof Away || error.status >= 500) throw error; // the filter is not to blame
      refuse(error);
    }
    if (page) {
      if (asked !== order) return page;
      if (before !== found.items) return read(); // more have come meanwhile
      takeFirst(page);
    }
    await present();
    return page;
  }

  /** The first ones anew; those after as many as are read at once stay as they were. */
  function takeFirst(page) {
    const items = itemsOf(page);
    if (found.items.length > MOST_AT_ONCE) {
      const fresh = new Set(items.map(idOf));
      found.items = [...items, ...found.items.filter((one) => !fresh.has(idOf(one)))];
    } else [found.items, found.token] = [items, page.next_page_token];
    failure.replaceChildren();
    input.removeAttribute("aria-invalid");
  }

  function refuse(error) {
    [found.items, found.token] = [[], null];
    input.setAttribute("aria-invalid", "true");
    tell(error);
    if (error.position !== undefined) failure.append(pointed(filter, error.position));
  }

  async function onMore() {
    await turned; // or the token would be of the order before
    const asked = found.token;
    const n = found.items.length;
    try {
      const page = await ask({ page_size: NEXT, page_token: asked });
      if (!isHere()) return null; // somebody looks for others by now
      if (asked !== found.token) {
        const isToAskAgain = found.token && n === found.items.length; // what they come after has changed
        return isToAskAgain ? onMore() : null; // or they are here
      }
      failure.replaceChildren();
      [found.items, found.token] = [[...found.items, ...itemsOf(page)], page.next_page_token];
      address.keep(name, String(found.items.length));
      await present();
    } catch (error) {
      tell(error);
    }
  }

  function present() {
    const isEmpty = !found.items.length && !failure.hasChildNodes();
    more.hidden = !found.token;
    form.hidden = isEmpty && !filter;
    const said = filter ? h("p", null, "Nothing matches.") : hint();
    fill(empty, ...(isEmpty ? [h("div", { class: "empty" }, said)] : []));
    return show();
  }

  /** Of those after them nobody knows whether they are there still. */
  function trim() {
    found.items = found.items.slice(0, MOST_AT_ONCE);
  }

  function tell(error) {
    failure.replaceChildren(error.message);
  }

  /** What failed because nobody answered may do now. */
  function forgive() {
    if (failure.hasChildNodes()) read().catch(tell);
  }

  return found;
}
