// Each node's tasks over time, on a canvas that can be zoomed and moved.

import { announce, colours, shortened, shown } from "./dom.js";
import { lay, ticks } from "./lanes.js";

const LANE = 9;
const ROOMY = 18; // of few lanes
const ROOM = 150;
const GAP = 8;
const LEFT = 160;
const RIGHT = 12;
const BOTTOM = 24;
const LEAST = 70;
const MOST = 520;
const STEP = 1.3;
const NEAREST = 20; // milliseconds that may fill the width
const PAINTS = ["running", "succeeded", "failed", "faint", "ink", "grid", "ground"];

export class Timeline {
  // `told` is given the task under the pointer or null, `chosen` the one that was clicked.
  constructor(canvas, { told, chosen }) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.told = told;
    this.chosen = chosen;
    this.view = null; // null shows all and follows the run; else [from, to] in milliseconds
    this.history = null;
    this.asked = false;
    this.paints = colours(...PAINTS);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.repaint = () => { this.paints = colours(...PAINTS); this.redraw(); };
    this.dark.addEventListener("change", this.repaint);
    this.sized = new ResizeObserver(() => this.redraw());
    this.sized.observe(canvas);
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("pointerdown", (event) => { this.grip = { x: event.offsetX, moved: false }; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointerup", (event) => this.released(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    canvas.addEventListener("pointerleave", () => this.told(null));
  }

  show(history) {
    this.history = history;
    this.redraw();
  }

  redraw() {
    if (this.asked || !this.history) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      if (this.history) this.draw(); // the run may have been left since
    });
  }

  draw() {
    const { history, pen, paints } = this;
    if (this.laid !== history.version) {
      this.laid = history.version;
      this.layout = lay(history);
    }
    const { rows, lanes } = this.layout;
    const [from, to] = this.span = this.view ?? this.bounds();
    const width = this.canvas.clientWidth;
    const tallest = Math.min(ROOMY, Math.max(LANE, ROOM / Math.max(1, lanes)));
    const height = Math.min(MOST, Math.max(LEAST, lanes * tallest + rows.length * GAP + BOTTOM));
    this.fit(width, height);
    pen.clearRect(0, 0, width, height);
    this.scale = (width - LEFT - RIGHT) / (to - from);
    this.axis(from, to, width, height);
    // Where there are more lanes than fit, all become thinner.
    const gap = Math.min(GAP, (height - BOTTOM) / Math.max(1, rows.length) / 3);
    const lane = Math.min(tallest, (height - BOTTOM - gap * rows.length) / Math.max(1, lanes));
    this.lane = lane;
    let top = gap / 2;
    let label = -Infinity;
    for (const row of rows) {
      const tall = row.lanes * lane;
      const middle = top + tall / 2;
      if (middle - label >= 13) { // a label where there is room for one
        pen.fillStyle = paints.faint;
        pen.textAlign = "left";
        pen.fillText(shortened(shown(row.node)), 4, middle);
        label = middle;
      }
      pen.fillStyle = paints.grid;
      pen.fillRect(LEFT, Math.round(top + tall + gap / 2), width - LEFT - RIGHT, 1);
      row.top = top;
      top += tall + gap;
    }
    for (const kind of ["running", "succeeded", "failed"]) this.paint(kind, from, to);
    this.mark(this.hovered);
  }

  // All tasks in sight that went the same way; nothing is kept of them, so that ten thousand leave no garbage.
  paint(kind, from, to) {
    const { pen, lane, scale } = this;
    const now = this.now();
    const tall = Math.max(0.5, lane > 3 ? lane - 1 : lane);
    pen.fillStyle = this.paints[kind];
    for (const row of this.layout.rows) {
      for (const { task, place } of row.tasks) {
        if (task.began > to) break; // they are in the order in which they began
        const end = task.ended ?? now;
        if (end < from || kindOf(task) !== kind) continue;
        const began = Math.max(task.began, from);
        const wide = (Math.min(end, to) - began) * scale;
        pen.fillRect(LEFT + (began - from) * scale, row.top + place * lane, wide > 5 ? wide - 1 : Math.max(1, wide), tall);
      }
    }
  }

  fit(width, height) {
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.style.height = `${height}px`;
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.pen.font = "12px system-ui, sans-serif";
    this.pen.textBaseline = "middle";
  }

  axis(from, to, width, height) {
    const { pen, paints } = this;
    const { times, step } = ticks(from, to, 95 / this.scale);
    pen.textAlign = "center";
    for (const time of times) {
      const x = LEFT + (time - from) * this.scale;
      pen.fillStyle = paints.grid;
      pen.fillRect(Math.round(x), 0, 1, height - BOTTOM);
      pen.fillStyle = paints.faint;
      if (x < width - 30) pen.fillText(told(time, step), x, height - BOTTOM / 2);
    }
  }

  mark(task) {
    const row = task && this.layout.rows.find((one) => one.node === task.node);
    const found = row?.tasks.find((one) => one.task === task);
    if (!found) return;
    const [from, to] = this.span;
    const left = LEFT + (Math.max(task.began, from) - from) * this.scale;
    const right = LEFT + (Math.min(task.ended ?? this.now(), to) - from) * this.scale;
    this.pen.strokeStyle = this.paints.ink;
    this.pen.lineWidth = 2;
    if (right >= left) this.pen.strokeRect(left - 1, row.top + found.place * this.lane - 1, Math.max(1, right - left) + 1, this.lane + 1);
  }

  now() {
    return this.history.waits ? Math.max(Date.now(), this.layout.last) : this.layout.last;
  }

  bounds() {
    const { first } = this.layout;
    if (!Number.isFinite(first)) return [Date.now() - 10_000, Date.now()];
    return [first, Math.max(this.now(), first + 1000)];
  }

  at(x) {
    return this.span[0] + (x - LEFT) / this.scale;
  }

  zoom(factor, around = (this.span[0] + this.span[1]) / 2) {
    const [from, to] = this.span;
    const [first, last] = this.bounds();
    const wide = Math.max(NEAREST, (to - from) * factor);
    if (wide >= last - first) {
      this.view = null;
    } else {
      const left = around - ((around - from) / (to - from)) * wide;
      this.view = [left, left + wide];
    }
    this.span = this.view ?? [first, last]; // two turns of the wheel may come in one frame
    this.scale = (this.canvas.clientWidth - LEFT - RIGHT) / (this.span[1] - this.span[0]);
    this.redraw();
  }

  pan(milliseconds) {
    const [from, to] = this.span;
    const [first, last] = this.bounds();
    const by = Math.min(Math.max(milliseconds, first - to + (to - from) / 2), last - from - (to - from) / 2);
    this.view = this.span = [from + by, to + by];
    this.redraw();
  }

  all() {
    this.view = null;
    this.redraw();
  }

  // A page that scrolls must not get stuck here: the bare wheel zooms only what was clicked or tabbed to.
  wheel(event) {
    if (!this.span || !(event.ctrlKey || event.metaKey || document.activeElement === this.canvas)) return;
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(event.deltaX / this.scale);
    else this.zoom(event.deltaY < 0 ? 1 / STEP : STEP, this.at(event.offsetX));
  }

  key(event) {
    if (!this.span || event.ctrlKey || event.metaKey || event.altKey) return;
    const tenth = (this.span[1] - this.span[0]) / 10;
    const moves = {
      "+": () => this.zoom(1 / STEP), "=": () => this.zoom(1 / STEP), "-": () => this.zoom(STEP),
      ArrowLeft: () => this.pan(-tenth), ArrowRight: () => this.pan(tenth), 0: () => this.all(), Home: () => this.all(),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
    this.tell();
  }

  tell() {
    const [from, to] = this.view ?? this.bounds();
    announce(`Timeline from ${told(from, 1000)} to ${told(to, 1000)}`);
  }

  moved(event) {
    if (!this.span) return;
    if (this.grip) {
      if (Math.abs(this.grip.x - event.offsetX) > 3) this.grip.moved = true;
      if (!this.grip.moved) return;
      this.pan((this.grip.x - event.offsetX) / this.scale);
      this.grip.x = event.offsetX;
      return;
    }
    const task = this.under(event);
    if (task === this.hovered) return;
    this.hovered = task;
    this.canvas.classList.toggle("over", task !== null);
    this.told(task);
    this.redraw();
  }

  released(event) {
    const clicked = this.grip && !this.grip.moved;
    this.grip = null;
    const task = clicked && this.under(event);
    if (task) this.chosen(task);
  }

  under({ offsetX: x, offsetY: y }) {
    const row = x >= LEFT - 1 && this.layout.rows.find((one) => y >= one.top && y < one.top + one.lanes * this.lane);
    if (!row) return null;
    const place = Math.floor((y - row.top) / this.lane);
    const slack = 1 / this.scale; // a short task is a pixel wide at least
    const [time, now] = [this.at(x), this.now()];
    return row.tasks.findLast(({ task, place: its }) => its === place && time >= task.began - slack && time <= (task.ended ?? now) + slack)?.task ?? null;
  }

  destroy() {
    this.sized.disconnect();
    this.dark.removeEventListener("change", this.repaint);
    this.history = null;
  }
}

const kindOf = (task) => (task.ended === null ? "running" : task.failure ? "failed" : "succeeded");

function told(time, step) {
  const at = new Date(time);
  const rough = step >= 60_000 ? {} : { second: "2-digit", ...(step < 1000 && { fractionalSecondDigits: step < 100 ? 3 : 1 }) };
  return step >= 86_400_000 ? at.toLocaleDateString() : at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...rough });
}
