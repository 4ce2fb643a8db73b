// How many tasks were in which state, over time: areas on top of each other, drawn by uPlot.

import { colours, number } from "./dom.js";
import { SHOWN } from "./history.js";

const HEIGHT = 200;
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800];

const told = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export class StateChart {
  constructor(place) {
    this.place = place;
    this.points = [];
    this.make();
    this.sized = new ResizeObserver(() => { if (place.clientWidth) this.plot.setSize({ width: place.clientWidth, height: HEIGHT }); });
    this.sized.observe(place);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.repaint = () => { this.plot.destroy(); this.make(); this.draw(this.points); };
    this.dark.addEventListener("change", this.repaint);
  }

  make() {
    const paint = colours("faint", "grid", ...SHOWN);
    // The first area is the sum of all, and is drawn first; the last one covers the bottom.
    const series = SHOWN.map((name, place) => ({
      label: name, stroke: paint[name], fill: paint[name], width: 0, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }),
      value: (_, __, ___, index) => number((this.points[index] ?? this.points.at(-1))?.[1 + place] ?? 0),
    }));
    const axis = { stroke: paint.faint, font: "12px system-ui, sans-serif", grid: { stroke: paint.grid, width: 1 }, ticks: { stroke: paint.grid, width: 1 } };
    this.plot = new uPlot({
      width: this.place.clientWidth || 600, height: HEIGHT, padding: [8, 24, 0, 0],
      series: [{ label: "time", value: (_, time) => (time === null ? "now" : told(time)) }, ...series],
      axes: [{ ...axis, values: (_, times) => times.map(told), space: 80, incrs: SECONDS },
        { ...axis, size: 56, values: (_, counts) => counts.map(number), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000] }],
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most)] } },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    }, [[], ...SHOWN.map(() => [])], this.place);
    this.plot.root.querySelector(".u-legend").setAttribute("aria-label", "Tasks by state, now or at the pointer");
  }

  draw(points) {
    this.points = points;
    const sums = SHOWN.map(() => new Array(points.length));
    points.forEach((point, at) => {
      let sum = 0;
      for (let place = SHOWN.length - 1; place >= 0; place -= 1) sums[place][at] = sum += point[1 + place];
    });
    this.plot.setData([points.map((point) => point[0] / 1000), ...sums]);
  }

  destroy() {
    this.dark.removeEventListener("change", this.repaint);
    this.sized.disconnect();
    this.plot.destroy();
  }
}
