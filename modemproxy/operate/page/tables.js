// Rows, links and events. What came from clients is only ever set as text.

import { bytes, count, duration, moment, plural, rate } from "./format.js";

const ROWS_MAX = 100;
/** Ends that are as they should be: in order, or after the time-out for silence. */
const ORDERLY = new Set(["--", "c-"]);

export const byId = (id) => document.getElementById(id);

/** Make an element with a class and a text. */
export function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== "") made.textContent = text;
  return made;
}

/** Set a text only where it changed: selections and screen readers are left in peace. */
export function say(target, text) {
  const node = typeof target === "string" ? byId(target) : target;
  if (node.textContent !== text) node.textContent = text;
}

/** Bring a table's rows to what ``items`` say; a row that stays is not made anew. */
function keepRows(table, items, key, fill) {
  const body = table.tBodies[0];
  const labels = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  items.forEach((item, index) => {
    const name = String(key(item));
    let row = known.get(name);
    known.delete(name);
    if (!row) {
      row = element("tr");
      row.dataset.key = name;
      for (const label of labels) row.append(element("td"));
      [...row.cells].forEach((cell, at) => { cell.dataset.label = labels[at]; });
    }
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
    fill([...row.cells], item);
  });
  for (const row of known.values()) row.remove();
}

/** Fill a cell: its text, a smaller one below, and its classes. */
function cell(target, text, { sub = "", name = "" } = {}) {
  target.className = name;
  const wanted = sub ? `${text}\n${sub}` : text;
  if (target.dataset.shown === wanted) return;
  target.dataset.shown = wanted;
  target.replaceChildren(document.createTextNode(text));
  if (sub) target.append(" ", element("span", "sub", sub));
}

export function showConnections(status, ratesOf) {
  const all = [...status.connections].sort((one, other) => other.id - one.id);
  const shown = all.slice(0, ROWS_MAX);
  const table = byId("connections");
  table.hidden = all.length === 0;
  byId("connections-empty").hidden = all.length > 0;
  const more = all.length - shown.length;
  say("connections-note", more ? `the latest ${shown.length}, and ${count(more)} more` : "");
  keepRows(table, shown, ({ id }) => id, (cells, each) => {
    const [up, down] = ratesOf(each);
    cell(cells[0], each.peer, { name: "strong wide" });
    const kind = each.kind === each.surface ? "" : each.kind;
    cell(cells[1], each.surface, { sub: kind, name: "beside wide" });
    cell(cells[2], each.target === "?" ? "not said yet" : each.target, { name: "wide" });
    const [link, stage] = linkOf(each);
    cell(cells[3], link, { sub: stage, name: each.link === null ? "zero" : "beside" });
    cell(cells[4], duration(each.age_s), { name: "n" });
    cell(cells[5], bytes(each.up), { name: "n" });
    cell(cells[6], bytes(each.down), { name: "n" });
    cell(cells[7], up ? rate(up) : "–", { name: up ? "n strong" : "n zero" });
    cell(cells[8], down ? rate(down) : "–", { name: down ? "n strong" : "n zero" });
  });
}

/** Its link, and how far it has come where it is not simply open. */
function linkOf(each) {
  if (each.link !== null) return [String(each.link), each.open_s === null ? "opening" : ""];
  return [each.kind === "dns" || each.target === "?" ? "none" : "waiting", ""];
}

export function showListeners(status) {
  keepRows(byId("listeners"), status.surfaces, ({ name }) => name, (cells, each) => {
    const off = each.enabled ? "" : `off: ${each.why_not}`;
    cell(cells[0], each.name, { sub: off, name: "strong" });
    const where = each.listen.replace("module:", "the module, port ");
    cell(cells[1], where, { sub: each.kind === "server" ? "" : each.kind, name: "beside" });
    cell(cells[2], count(each.clients), { name: each.clients ? "n strong" : "n zero" });
    cell(cells[3], count(each.connections), { name: "n" });
    cell(cells[4], count(each.refused), { name: each.refused ? "n" : "n zero" });
    showCauses(cells[5], each.causes, status.explained);
    cell(cells[6], bytes(each.up), { name: "n" });
    cell(cells[7], bytes(each.down), { name: "n" });
  });
}

/** The ends that were not in order, each with its two letters; the words on pointing. */
function showCauses(target, causes, explained) {
  const odd = Object.entries(causes).filter(([code]) => !ORDERLY.has(code));
  const wanted = JSON.stringify(odd);
  if (target.dataset.shown === wanted) return;
  target.dataset.shown = wanted;
  target.className = odd.length ? "odd" : "odd zero";
  if (!odd.length) {
    target.replaceChildren("–");
    return;
  }
  const chips = element("span", "chips");
  for (const [code, number] of odd.sort((one, other) => other[1] - one[1])) {
    const chip = element("span", "chip", `${code} ${count(number)}`);
    chip.title = explained[code] ?? code;
    chips.append(chip);
  }
  target.replaceChildren(chips);
}

export function showLinks(status) {
  const list = byId("links");
  while (list.children.length < status.links.total) {
    const made = element("li");
    made.append(element("i"), element("b"), element("small"));
    list.append(made);
  }
  const users = new Map(status.connections.map((each) => [each.link, each]));
  [...list.children].forEach((item, number) => {
    const known = status.links.numbers[number];
    const user = users.get(number);
    const use = known ? known.use : "";
    item.className = use || "free";
    item.title = user ? `${user.peer} → ${user.target}` : "";
    const [label, owner, peer] = item.children;
    say(label, use ? `${number} · ${use}` : String(number));
    say(owner, known && use !== "free" ? known.owner : "");
    say(peer, user ? user.peer : "");
  });
  const { waiting, numbers } = status.links;
  const away = numbers.length ? "" : "none without the module";
  say("links-note", waiting ? `${plural(waiting, "connection")} waiting for one` : away);
}

export function showEvents(events) {
  byId("events-empty").hidden = events.length > 0;
  say("events-note", events.length ? `the latest ${events.length}` : "");
  const list = byId("events");
  const newest = events.length ? `${events[0].at} ${events.length}` : "";
  if (list.dataset.newest === newest) return;
  list.dataset.newest = newest;
  list.replaceChildren(...events.map(({ at, level, text }) => {
    const item = element("li", level);
    const when = element("time", "", moment(at));
    when.title = new Date(at * 1000).toString();
    item.append(when, element("span", "", text));
    return item;
  }));
}
