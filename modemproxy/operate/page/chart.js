// A chart of the last minutes on a canvas: lines with areas, or areas that are stacked.

/** What is shown: as little as fits, so that a young chart is not an empty one. */
const SPANS = [
  { span: 60, tick: 15 },
  { span: 120, tick: 30 },
  { span: 300, tick: 60 },
];
const LONGEST_S = 300;
/** A pause longer than this is a gap: the page was hidden, or the proxy did not answer. */
const GAP_S = 4;
const NARROW = 400;
const BOTTOM = 22;
const TOP = 8;
const RIGHT = 6;

/** Round a maximum up to 1, 2, 2.5 or 5 times a power of ten. */
export function niceMax(value, least) {
  const wanted = Math.max(value, least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= wanted * 0.999);
}

export class Chart {
  /**
   * @param canvas where to draw.
   * @param options series: [{key, label, color}] (color: a custom property of the page);
   *   stacked; top: a fixed maximum, or 0 for one that fits; least: the lowest maximum;
   *   format: a value in words; axis: the same for a round one.
   */
  constructor(canvas, options) {
    this.canvas = canvas;
    this.options = options;
    this.samples = [];
    this.pointer = null;
    canvas.addEventListener("pointermove", (event) => this.point(event.offsetX));
    canvas.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Show these samples: {t: seconds, and a value for each series' key}, oldest first. */
  show(samples) {
    this.samples = samples;
    this.draw();
  }

  point(x) {
    this.pointer = x;
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    this.style = getComputedStyle(canvas);
    pen.font = `12px ${this.style.fontFamily}`;
    const scale = this.scale(pen, width, height);
    this.drawGrid(pen, width, height, scale);
    for (const part of runs(this.samples)) this.drawRun(pen, part, scale);
    if (this.samples.length < 2) this.drawWaiting(pen, width, height);
    if (this.pointer !== null) this.drawPointed(pen, width, height, scale);
  }

  /** Say where a moment and a value are drawn. */
  scale(pen, width, height) {
    const { series, stacked, top, least, axis } = this.options;
    const { samples } = this;
    const now = samples.length ? samples[samples.length - 1].t : 0;
    const age = samples.length ? now - samples[0].t : 0;
    const { span, tick } = SPANS.find((each) => age <= each.span) ?? SPANS[SPANS.length - 1];
    const heights = samples.map((sample) => {
      const values = series.map(({ key }) => sample[key]);
      return stacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
    });
    const max = top || niceMax(Math.max(0, ...heights), least);
    const words = [max, max / 2].map((value) => pen.measureText(axis(value)).width);
    const left = Math.ceil(Math.max(...words)) + 10;
    return {
      max,
      now,
      left,
      ticks: range(span / tick + 1).map((index) => index * tick * (width < NARROW ? 2 : 1))
        .filter((ago) => ago <= span),
      x: (t) => left + (1 - (now - t) / span) * (width - left - RIGHT),
      t: (x) => now - (1 - (x - left) / (width - left - RIGHT)) * span,
      y: (value) => TOP + (1 - Math.min(1, value / max)) * (height - TOP - BOTTOM),
    };
  }

  color(name) {
    return this.style.getPropertyValue(name).trim();
  }

  drawGrid(pen, width, height, { max, left, ticks, y, x, now }) {
    pen.fillStyle = this.color("--soft");
    pen.strokeStyle = this.color("--grid");
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const part of [0, 0.25, 0.5, 0.75, 1]) {
      const at = Math.round(y(part * max)) + 0.5;
      line(pen, left, at, width - RIGHT, at);
      if (part % 0.5 === 0) pen.fillText(this.options.axis(part * max), left - 8, at);
    }
    pen.textBaseline = "alphabetic";
    for (const ago of ticks) {
      const at = x(now - ago);
      pen.textAlign = ago === 0 ? "right" : at < left + 20 ? "left" : "center";
      pen.fillText(agoWords(ago), at, height - 5);
    }
  }

  drawRun(pen, samples, { x, y }) {
    const { series, stacked } = this.options;
    let below = samples.map(() => 0);
    for (const { key, color } of series) {
      const above = samples.map((sample, at) => sample[key] + (stacked ? below[at] : 0));
      const points = samples.map((sample, at) => [x(sample.t), y(above[at])]);
      const floor = samples.map((sample, at) => [x(sample.t), y(stacked ? below[at] : 0)]);
      pen.fillStyle = pen.strokeStyle = this.color(color);
      pen.globalAlpha = stacked ? 0.72 : 0.14;
      trace(pen, [...points, ...floor.reverse()]);
      pen.fill();
      pen.globalAlpha = 1;
      pen.lineWidth = stacked ? 1 : 2;
      pen.lineJoin = "round";
      trace(pen, points);
      pen.stroke();
      if (stacked) below = above;
    }
  }

  drawWaiting(pen, width, height) {
    pen.fillStyle = this.color("--soft");
    pen.textAlign = "center";
    pen.fillText("drawn from now on, while this page is open", (width + 40) / 2, height / 2 - 12);
  }

  drawPointed(pen, width, height, scale) {
    const wanted = scale.t(this.pointer);
    const near = nearest(this.samples, wanted);
    if (!near || Math.abs(near.t - wanted) > GAP_S) return;
    const at = scale.x(near.t);
    pen.strokeStyle = this.color("--soft");
    line(pen, at, TOP, at, height - BOTTOM);
    const ago = Math.round(scale.now - near.t);
    const rows = this.options.series.map(({ key, label, color }) => ({
      text: `${label}  ${this.options.format(near[key])}`,
      color: this.color(color),
    }));
    if (this.options.stacked) rows.reverse();
    rows.unshift({ text: ago ? `${ago} s ago` : "now", color: "" });
    this.drawBox(pen, rows, at, width);
  }

  drawBox(pen, rows, at, width) {
    const wide = 30 + Math.max(...rows.map(({ text }) => pen.measureText(text).width));
    const high = 10 + 18 * rows.length;
    const left = at + 10 + wide < width ? at + 10 : at - 10 - wide;
    pen.fillStyle = this.color("--card");
    pen.strokeStyle = this.color("--edge");
    pen.beginPath();
    pen.roundRect(left, TOP + 4, wide, high, 7);
    pen.fill();
    pen.stroke();
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    rows.forEach(({ text, color }, index) => {
      const y = TOP + 18 + 18 * index;
      if (color) {
        pen.fillStyle = color;
        pen.fillRect(left + 10, y - 4, 8, 8);
      }
      pen.fillStyle = this.color(color ? "--ink" : "--soft");
      pen.fillText(text, left + (color ? 24 : 10), y);
    });
  }
}

/** Drop what is too old to be shown. */
export function recent(samples) {
  const now = samples.length ? samples[samples.length - 1].t : 0;
  return samples.filter(({ t }) => now - t <= LONGEST_S);
}

/** Cut the samples where there is a gap between two. */
function runs(samples) {
  const parts = [];
  samples.forEach((sample, index) => {
    if (index === 0 || sample.t - samples[index - 1].t > GAP_S) parts.push([]);
    parts[parts.length - 1].push(sample);
  });
  return parts.filter((part) => part.length > 1);
}

function agoWords(seconds) {
  if (!seconds) return "now";
  return seconds % 60 ? `−${seconds} s` : `−${seconds / 60} min`;
}

const range = (size) => [...Array(Math.floor(size)).keys()];

function nearest(samples, wanted) {
  let best = null;
  for (const sample of samples) {
    if (!best || Math.abs(sample.t - wanted) < Math.abs(best.t - wanted)) best = sample;
  }
  return best;
}

function trace(pen, points) {
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
}

function line(pen, x1, y1, x2, y2) {
  trace(pen, [[x1, y1], [x2, y2]]);
  pen.stroke();
}
