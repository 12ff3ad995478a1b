// The upper half of the page: state, tiles, the module's facts, the charts' legends.

import { bytes, count, duration, percent, plural, rate, scaled } from "./format.js";
import { byId, element, say } from "./tables.js";

export const KINDS = [
  { key: "read", label: "read", color: "--down" },
  { key: "write", label: "write", color: "--up" },
  { key: "control", label: "control", color: "--control" },
  { key: "upkeep", label: "upkeep", color: "--upkeep" },
];
export const WAYS = [
  { key: "down", label: "down", color: "--down" },
  { key: "up", label: "up", color: "--up" },
];
const MOOD = { up: "good", starting: "warn", recovering: "warn", down: "bad", stopped: "bad" };
const SAID = { up: "in service", down: "out of service" };
/** What is enough for one bar more, dBm. */
const BARS = [-110, -100, -90, -75];

export function showState(status) {
  const { module, draining } = status;
  const words = SAID[module.state] ?? module.state;
  const pill = byId("state");
  pill.className = `pill ${draining ? "warn" : MOOD[module.state] ?? ""}`;
  say(pill, draining ? "draining" : words);
  document.title = module.state === "up" && !draining ? "modemproxy" : `⚠ ${pill.textContent} · modemproxy`;
  say("version", status.version);
  const started = new Date(status.started_at * 1000).toLocaleString();
  say("uptime", `Running for ${duration(status.uptime_s)}, process ${status.pid}`);
  byId("uptime").title = `since ${started}`;
  if (module.state !== "up") {
    const reason = module.reason ? `${sentence(module.reason)} ` : "";
    const since = `For ${duration(module.since_s)}; new connections wait for the module.`;
    banner(`The module is ${words}.`, reason + since, MOOD[module.state]);
  } else if (draining) {
    const inside = plural(status.connections.length, "connection");
    banner("Draining.", `Nobody is let in any more; ${inside} may finish.`, "warn");
  } else {
    byId("banner").hidden = true;
  }
}

/** Say that nothing was heard of the proxy. */
export function showLost(heardAt) {
  byId("main").classList.add("stale");
  byId("pulse").className = "pulse lost";
  say("pulse", "lost");
  const pill = byId("state");
  pill.className = "pill bad";
  say(pill, "no answer");
  document.title = "⚠ no answer · modemproxy";
  const ago = heardAt === null ? "It has not been heard yet" : `Last heard ${duration((Date.now() - heardAt) / 1000)} ago`;
  banner("The proxy does not answer.", `${ago}; this page keeps asking.`, "bad");
}

export function showLive() {
  byId("main").classList.remove("stale");
  const pulse = byId("pulse");
  say(pulse, "live");
  pulse.className = "pulse";
  void pulse.offsetWidth; // begins the animation anew
  pulse.className = "pulse beat";
}

function banner(head, text, mood) {
  const box = byId("banner");
  box.className = `banner ${mood}`;
  box.hidden = false;
  say("banner-head", head);
  say("banner-text", text);
}

function sentence(text) {
  const capital = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

export function showTiles(status, sample) {
  for (const way of ["down", "up"]) {
    const [digits, unit] = sample ? scaled(sample[way], "B/s") : ["–", ""];
    say(`${way}-now`, digits);
    say(`${way}-unit`, unit);
  }
  say("down-sum", `${bytes(status.line.bytes_read)} since start`);
  say("up-sum", `${bytes(status.line.bytes_written)} since start`);
  say("busy", sample ? percent(1 - sample.idle) : "–");
  const { turnaround_ms: turnaround, waiting } = status.line;
  const queue = waiting ? `, ${count(waiting)} waiting` : "";
  say("busy-sub", turnaround ? `answers in ${turnaround.toFixed(1)} ms${queue}` : "no session");
  const { links, connections, surfaces } = status;
  say("links-used", String(links.in_use));
  say("links-sub", links.waiting ? `${plural(links.waiting, "client")} waiting` : "nobody waits");
  const ever = surfaces.reduce((sum, each) => sum + each.connections, 0);
  const refused = surfaces.reduce((sum, each) => sum + each.refused, 0);
  say("clients", count(connections.length));
  say("clients-sub", `${count(ever)} so far${refused ? `, ${count(refused)} refused` : ""}`);
  showSignal(status.module);
}

function showSignal(module) {
  const dbm = module.signal_dbm;
  const known = dbm !== null;
  say("signal", known ? String(dbm).replace("-", "−") : "–");
  say("signal-unit", known ? "dBm" : "");
  const bars = known ? BARS.filter((least) => dbm >= least).length : 0;
  const box = byId("bars");
  box.hidden = !known;
  box.className = `bars ${bars < 2 ? "poor" : ""}`;
  [...box.children].forEach((bar, index) => { bar.className = index < bars ? "on" : ""; });
  const words = ["very weak", "weak", "fair", "good", "very good"];
  say("signal-sub", known ? words[bars] : "not known");
}

export function showModule(module) {
  const recoveries = Object.entries(module.recoveries);
  const total = recoveries.reduce((sum, [, number]) => sum + number, 0);
  const rungs = recoveries.map(([rung, number]) => `${rung} × ${count(number)}`).join(", ");
  const facts = [
    ["State", `${SAID[module.state] ?? module.state} for ${duration(module.since_s)}`],
    ["Model", module.model || "not known yet"],
    ["Address", (module.state === "up" && module.address) || "none at present"],
    ["Port", module.port],
    ["Line", module.baudrate ? `${count(module.baudrate)} baud` : "not found yet"],
    ["Sessions", count(module.sessions)],
    ["Recoveries", total ? `${count(total)} (${rungs})` : "none"],
  ];
  const list = byId("module");
  if (!list.children.length) {
    for (const [name] of facts) list.append(element("dt", "", name), element("dd"));
  }
  facts.forEach(([, text], index) => say(list.children[2 * index + 1], text));
}

/** Make a legend once; the function that is returned shows a sample's values in it. */
export function legend(id, series, format) {
  const values = series.map(({ key, label }) => {
    const item = element("li");
    const value = element("b", "", "–");
    item.append(element("i", `key ${key}`), `${label} `, value);
    byId(id).append(item);
    return value;
  });
  return (sample) => {
    series.forEach(({ key }, index) => say(values[index], sample ? format(sample[key]) : "–"));
  };
}

export const shareWords = (share) => `${percent(share)}\u00a0%`;
export const rateWords = rate;
