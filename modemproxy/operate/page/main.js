// Asks the proxy once a second while somebody looks, and hands what it says to the views.

import { Chart, recent } from "./chart.js";
import { roundRate } from "./format.js";
import { showConnections, showEvents, showLinks, showListeners } from "./tables.js";
import {
  KINDS, WAYS, legend, rateWords, shareWords, showLive, showLost, showModule, showState, showTiles,
} from "./view.js";

const EVERY_MS = 1000;
const LIMIT_MS = 4000;
/** Events are asked for when the module's state changes, and else every so many times. */
const EVENTS_EVERY = 5;
/** After a longer pause a mean would be no rate of now. */
const PAUSE_S = 5;

const throughput = new Chart(document.getElementById("throughput"), {
  series: WAYS, stacked: false, top: 0, least: 1000, format: rateWords, axis: roundRate,
});
const share = new Chart(document.getElementById("share"), {
  series: KINDS, stacked: true, top: 1, least: 1, format: shareWords, axis: shareWords,
});
const showWays = legend("throughput-key", WAYS, rateWords);
const showShares = legend("share-key", [...KINDS, { key: "idle", label: "idle" }], shareWords);

let samples = [];
let before = null;
let heardAt = null;
let asked = 0;
let watching = false;

async function get(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(LIMIT_MS) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** What happened between two reports, a second apart or so; null where nothing can be said. */
function sampleOf(then, now) {
  if (!then || then.started_at !== now.started_at) return null;
  const passed = now.uptime_s - then.uptime_s;
  if (passed <= 0.2 || passed > PAUSE_S) return null;
  const sample = {
    t: now.uptime_s,
    down: (now.line.bytes_read - then.line.bytes_read) / passed,
    up: (now.line.bytes_written - then.line.bytes_written) / passed,
    idle: 1,
  };
  for (const { key } of KINDS) {
    const used = (now.line.seconds[key] - then.line.seconds[key]) / passed;
    sample[key] = Math.min(used, sample.idle); // an exchange is counted when it ends
    sample.idle -= sample[key];
  }
  return sample;
}

/** The bytes a second that each connection moved since the last report. */
function ratesBetween(then, now) {
  const known = new Map(then ? then.connections.map((each) => [each.id, each]) : []);
  const passed = then ? now.uptime_s - then.uptime_s : 0;
  return (each) => {
    const old = known.get(each.id);
    if (!old || passed <= 0.2 || then.started_at !== now.started_at) return [0, 0];
    return [(each.up - old.up) / passed, (each.down - old.down) / passed];
  };
}

function show(now) {
  if (before && before.started_at !== now.started_at) samples = [];
  const sample = sampleOf(before, now);
  if (sample) samples = recent([...samples, sample]);
  showState(now);
  showTiles(now, sample);
  showWays(sample);
  showShares(sample);
  throughput.show(samples);
  share.show(samples);
  showModule(now.module);
  showLinks(now);
  showConnections(now, ratesBetween(before, now));
  showListeners(now);
}

const stateOf = (status) => `${status.module.state} ${status.draining}`;

/** Ask for everything that is due; null when there is no answer. */
async function hear() {
  try {
    const now = await get("status.json");
    const changed = !before || stateOf(before) !== stateOf(now);
    const due = changed || asked % EVENTS_EVERY === 0;
    return { now, events: due ? (await get("events.json")).events : null };
  } catch {
    return null;
  }
}

function tell(heard) {
  if (!heard) {
    showLost(heardAt);
    return;
  }
  heardAt = Date.now();
  asked += 1;
  showLive();
  show(heard.now);
  before = heard.now;
  if (heard.events) showEvents(heard.events);
}

/** One loop at a time, and none while nobody looks. */
async function watch() {
  if (watching) return;
  watching = true;
  while (!document.hidden) {
    const began = Date.now();
    tell(await hear());
    await new Promise((done) => { setTimeout(done, Math.max(100, EVERY_MS - (Date.now() - began))); });
  }
  watching = false;
}

document.addEventListener("visibilitychange", watch);
watch();
