// One run: how far it is, its tasks over time and by node, what failed, logs, outputs, and what can be done.

import { beats, follow, json, path } from "./api.js";
import { makeActions } from "./actions.js";
import { banner } from "./banner.js";
import { StateChart } from "./chart.js";
import { announce, atMostEach, clock, el, number, put, shown, span, stateLabel } from "./dom.js";
import { failureCards } from "./failures.js";
import { History } from "./history.js";
import { logView } from "./logs.js";
import { origin } from "./origin.js";
import { bar, counts, standing } from "./progress.js";
import { outputList, taskTable } from "./tables.js";
import { Timeline } from "./timeline.js";

const BUSY = 2000;
const OVER = 60_000;
const DRAWN = 250; // milliseconds between two drawings while events come

export async function showRun(id, context) {
  const { signal, connection, content } = context;
  let run = await json(path("runs", id), { signal });
  const history = new History();
  const log = logView(id, { signal, complete: (task) => history.finished || Boolean(history.tasks.get(task)?.brought) });
  const tasks = taskTable({ openLog: log.open });
  const failures = failureCards(id, { signal, openLog: log.open, filterFailed: () => tasks.filter("failed") });
  const outputs = outputList(id, context);
  const label = stateLabel();
  const progress = bar();
  const tiles = makeTiles(["Succeeded", "Failed", "Running", "Waiting", "Nodes", "Outputs", "Took"]);
  const facts = el("p", { class: "faint" });
  const trouble = banner();
  const actions = makeActions(id, { ...context, refresh: () => look.now() });
  const chart = el("div", { class: "chart" });
  const pictured = el("section", { class: "panel", "aria-labelledby": "by-state" }, el("h3", { id: "by-state" }, "Tasks by state"), chart);
  const [lanes, timeline] = makeTimeline(log.open);
  content.append(
    el("nav", { "aria-label": "Where you are" }, el("a", { href: "#/" }, "Runs"), " / ", id),
    el("div", { class: "title" }, el("h2", { tabindex: -1 }, run.job_id), label.element, actions.element), facts,
    trouble.element, progress.element, tiles.element, failures.element, log.element, pictured, lanes, tasks.element, outputs.element);
  const states = new StateChart(chart);
  signal.addEventListener("abort", () => { timeline.destroy(); states.destroy(); });

  const draw = atMostEach(DRAWN, () => {
    if (signal.aborted) return;
    const last = history.points.at(-1);
    states.draw(last && history.waits ? [...history.points, [Math.max(Date.now(), last[0]), ...last.slice(1)]] : history.points);
    timeline.show(history);
    failures.update(history);
    tasks.update(history);
    outputs.update(history);
    tell();
  });

  // What was counted from the events here, and what only the daemon knows, from its record.
  function tell() {
    const many = run.phase === "finished" && !history.tasks.size ? counts(run) : { ...history.counts, tasks: history.tasks.size };
    label.update(...standing(run));
    progress.update({ ...many, tasks: Math.max(many.tasks, counts(run).tasks) });
    actions.update(run, many.failed);
    trouble.update(run, history);
    tiles.update({
      Succeeded: number(many.succeeded), Failed: number(many.failed), Running: number(many.running),
      Waiting: number((many.active ?? 0) + many.preparing), Nodes: run.progress ? `${run.progress.nodes} / ${run.progress.target_nodes}` : "–",
      Outputs: number(history.files), Took: run.begun_at ? span(new Date(run.ended_at ?? Date.now()) - new Date(run.begun_at)) : "–",
    });
    document.title = `${shown(standing(run)[1]).replaceAll("_", " ")} · ${shown(run.job_id)}`;
  }

  const look = beats(signal, async () => {
    const before = run.phase;
    run = await json(path("runs", id), { signal });
    connection(true);
    draw();
    if (before !== "finished" && run.phase === "finished") announce(`The run is over: ${standing(run)[1].replaceAll("_", " ")}`);
    return run.phase === "finished" ? OVER : BUSY;
  }, connection);
  facts.append(shown(origin(run)),
    ...(run.parent ? [" after ", el("a", { href: `#/runs/${encodeURIComponent(run.parent)}` }, run.parent)] : []), `, accepted ${clock(run.accepted_at)}`);
  tell();
  const ticking = setInterval(() => { if (run.phase !== "finished" && run.phase !== "queued") draw(); }, 1000);
  signal.addEventListener("abort", () => clearInterval(ticking));
  const take = (name, event, number) => {
    history.take(name, event, number);
    draw();
    if (history.finished) look.now();
    return history.finished;
  };
  await Promise.all([look.forEver(), follow(path("runs", id, "events"), { take, over: () => run.phase === "finished", connection, signal })]);
}

function makeTiles(names) {
  const values = new Map(names.map((name) => [name, el("dd", { "data-tile": name })]));
  return {
    element: el("dl", { class: "tiles" }, names.map((name) => el("div", {}, el("dt", {}, name), values.get(name)))),
    update(now) { for (const name of names) put(values.get(name), now[name]); },
  };
}

function makeTimeline(openLog) {
  const canvas = el("canvas", { class: "timeline", tabindex: 0, role: "img", "aria-labelledby": "by-node", "aria-describedby": "by-node-how" });
  const named = el("p", { class: "named", "aria-hidden": true });
  const timeline = new Timeline(canvas, {
    told: (task) => put(named, task ? describe(task) : ""),
    chosen: (task) => openLog(task.id, task.failure ? "stderr" : "stdout"),
  });
  const tools = [["Zoom in", "+", () => timeline.zoom(1 / 2)], ["Zoom out", "−", () => timeline.zoom(2)], ["Show all of it", "all", () => timeline.all()]]
    .map(([name, sign, act]) => el("button", { type: "button", class: "small", "aria-label": name, title: name, onclick: () => { if (timeline.span) { act(); timeline.tell(); } } }, sign));
  const key = el("p", { class: "key" }, ["running", "succeeded", "failed"].map((name) => { const one = stateLabel(); one.update(name); return one.element; }));
  const how = el("p", { class: "faint", id: "by-node-how" }, "Drag to move, click for the log. With the focus here: wheel or + and − to zoom, arrows to move, 0 for all. The table of tasks has the same in words.");
  return [el("section", { class: "panel", "aria-labelledby": "by-node" },
    el("div", { class: "bar-of-tools" }, el("h3", { id: "by-node" }, "Tasks by node"), key, el("div", { class: "actions tight" }, tools)), canvas, named, how), timeline];
}

function describe(task) {
  const took = ((task.ended ?? Date.now()) - task.began) / 1000;
  return [task.id, task.failure ? `failed (${task.failure.code ?? ""})` : task.state, `${took.toFixed(2)} s`, task.retries ? `${task.retries} retries` : "", task.node].filter(Boolean).join(" · ");
}
