// Numbers and times as people read them. Everything here is text; nothing is markup.

const STEPS = ["", "k", "M", "G", "T"];

/** Split a count into digits and its unit: 1420000 B -> ["1.42", "MB"]. */
export function scaled(value, unit) {
  let step = 0;
  while (value >= 999.5 && step < STEPS.length - 1) {
    value /= 1000;
    step += 1;
  }
  const places = step === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return [value.toFixed(places), STEPS[step] + unit];
}

export const bytes = (value) => scaled(value, "B").join("\u00a0");
export const rate = (value) => scaled(value, "B/s").join("\u00a0");
/** A rate for an axis, whose values are round. */
export function roundRate(value) {
  const [digits, unit] = scaled(value, "B/s");
  return `${Number(digits)}\u00a0${unit}`;
}

export const count = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** A share of one, as a percentage without its sign. */
export function percent(share) {
  const value = 100 * share;
  return value > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0);
}

/** Seconds, in the two largest units that say something. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0\u00a0s";
  return parts
    .slice(first, first + 2)
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => `${value}\u00a0${unit}`)
    .join(" ");
}

export const plural = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

/** A moment: the time alone if it was today, else with the day. */
export function moment(epochSeconds) {
  const then = new Date(epochSeconds * 1000);
  const time = then.toTimeString().slice(0, 8);
  if (then.toDateString() === new Date().toDateString()) return time;
  return `${then.getDate()} ${then.toLocaleString("en", { month: "short" })} ${time}`;
}
