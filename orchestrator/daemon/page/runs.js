// All runs, newest first, with how far each is.

import { beats, follow, json } from "./api.js";
import { arrange, clock, el, hide, number, put, span, stateLabel } from "./dom.js";
import { origin } from "./origin.js";
import { bar, counts, standing } from "./progress.js";

const PAGE = 50;
const QUIET = 5000;
const BUSY = 1000;
const NEWS = new Set(["RunStarted", "RunStateChanged", "RunFinished"]);

export async function showRuns({ signal, connection, content }) {
  const rows = new Map();
  // The roles are those that a table has by itself, and loses where a narrow window lays its rows out as blocks.
  const body = el("tbody", { role: "rowgroup" });
  const summary = el("p", { class: "faint" });
  const none = el("div", { class: "empty panel", hidden: true },
    el("p", {}, "No runs yet. Hand one in:"), el("pre", {}, "orchestrator submit job.toml"));
  const more = el("button", { type: "button", hidden: true }, "Older runs");
  const table = el("div", { class: "scroll panel", hidden: true }, el("table", { class: "runs", role: "table", "aria-labelledby": "runs" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ["Job", "State", "Progress", "Tasks", "Accepted", "Took"].map((name) => el("th", { scope: "col", role: "columnheader", class: ["Tasks", "Took"].includes(name) && "number" }, name)))),
    body));
  let pages = 1;
  more.addEventListener("click", () => { pages += 1; look.now(); });
  content.append(el("div", { class: "title" }, el("h2", { id: "runs", tabindex: -1 }, "Runs"), summary), table, none, more);
  document.title = "Runs · orchestrator";

  const look = beats(signal, async () => {
    const { runs, next } = await read(pages, signal);
    const wanted = runs.map((run) => {
      if (!rows.has(run.id)) rows.set(run.id, makeRow(run));
      rows.get(run.id).update(run);
      return rows.get(run.id).element;
    });
    arrange(body, wanted);
    hide(none, runs.length > 0);
    hide(table, runs.length === 0);
    hide(more, next === null);
    put(summary, told(runs, next));
    connection(true);
    return runs.some((run) => run.phase !== "finished") ? BUSY : QUIET;
  }, connection);
  await Promise.all([look.forEver(), follow("v1/events", { take: (name) => { if (NEWS.has(name)) look.now(); }, connection, signal })]);
}

function told(runs, next) {
  const many = (phase) => runs.filter((run) => run.phase === phase).length;
  return `${number(many("running"))} under way, ${number(many("queued"))} waiting, ${number(many("finished"))}${next === null ? "" : " or more"} over`;
}

async function read(pages, signal) {
  const runs = [];
  let next = null;
  for (let page = 0; page < pages; page += 1) {
    const found = await json(`v1/runs?limit=${PAGE}` + (next ? `&after=${encodeURIComponent(next)}` : ""), { signal });
    runs.push(...found.runs);
    next = found.next;
    if (next === null) break;
  }
  return { runs, next };
}

function makeRow(run) {
  const label = stateLabel();
  const tasks = el("td", { role: "cell", class: "number" });
  const took = el("td", { role: "cell", class: "number" });
  const progress = bar();
  const element = el("tr", { role: "row", "data-run": run.id },
    el("th", { scope: "row", role: "rowheader" }, el("a", { href: `#/runs/${encodeURIComponent(run.id)}` }, run.job_id),
      el("p", { class: "faint" }, `${origin(run)}${run.parent ? ` after ${run.parent}` : ""}`)),
    el("td", { role: "cell" }, label.element), el("td", { role: "cell" }, progress.element), tasks,
    el("td", { role: "cell", class: "when" }, clock(run.accepted_at)), took);
  return {
    element,
    update(now) {
      const many = counts(now);
      label.update(...standing(now));
      progress.update(many);
      put(tasks, many.tasks ? `${number(many.succeeded + many.failed)} / ${number(many.tasks)}` : "–");
      put(took, now.begun_at ? span(new Date(now.ended_at ?? Date.now()) - new Date(now.begun_at)) : "–");
    },
  };
}
