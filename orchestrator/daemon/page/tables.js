// Tasks and outputs of a run, a page at a time.

import { json, outputPath, path } from "./api.js";
import { arrange, bytes, clock, el, hide, lasted, number, put, shortened, shown, stateLabel } from "./dom.js";
import { SHOWN } from "./history.js";

const PAGE = 50;

// From the events, as everything else of the run: nothing is asked for, and it is never behind the rest.
export function taskTable({ openLog }) {
  const heading = el("h3", { id: "tasks", tabindex: -1 }, "Tasks");
  const choice = el("select", { id: "task-state" }, el("option", { value: "" }, "all"), SHOWN.map((name) => el("option", { value: name }, name)));
  const search = el("input", { id: "task-name", type: "search", autocomplete: "off", placeholder: "task or node" });
  const found = el("p", { class: "faint", role: "status" });
  const body = el("tbody");
  const more = el("button", { type: "button", hidden: true }, "More tasks");
  const head = ["Task", "State", "Exit code", "Node", "Retries", "Took", "Ended", "Logs"].map((name) => el("th", { scope: "col", class: ["Exit code", "Retries", "Took"].includes(name) && "number" }, name));
  const table = el("div", { class: "scroll panel" }, el("table", { "aria-labelledby": "tasks" }, el("thead", {}, el("tr", {}, head)), body));
  const rows = new Map();
  let wanted = PAGE;
  let history = null;
  const again = () => { wanted = PAGE; if (history) update(history); };
  choice.addEventListener("change", again);
  search.addEventListener("input", again);
  more.addEventListener("click", () => { wanted += PAGE; update(history); });

  function update(now) {
    history = now;
    const text = search.value.trim().toLowerCase();
    const fits = (task) => (!choice.value || task.state === choice.value) && (!text || task.id.toLowerCase().includes(text) || task.node?.toLowerCase().includes(text));
    const some = [];
    let many = 0;
    for (const task of history.tasks.values()) if (fits(task) && (many += 1) <= wanted) some.push(task);
    const displayed = some.map((task) => {
      if (!rows.has(task.id)) rows.set(task.id, makeRow(task));
      rows.get(task.id).update();
      return rows.get(task.id).element;
    });
    if (rows.size > 20 * PAGE + displayed.length) for (const [id, row] of rows) if (!row.element.isConnected) rows.delete(id);
    arrange(body, displayed);
    hide(table, displayed.length === 0);
    hide(more, many <= wanted);
    put(found, choice.value || text ? `${number(many)} of ${number(history.tasks.size)}` : history.tasks.size ? number(history.tasks.size) : "none was added yet");
  }

  function makeRow(task) {
    const label = stateLabel();
    const [exit, retries, took] = [0, 0, 0].map(() => el("td", { class: "number" }));
    const [node, ended] = [el("td", { class: "node" }), el("td", { class: "when" })];
    const buttons = ["stdout", "stderr"].map((log) => el("button", { type: "button", class: "small", "aria-label": `${log} of ${task.id}`, onclick: () => openLog(task.id, log) }, log));
    const element = el("tr", { "data-task": task.id }, el("th", { scope: "row" }, task.id), el("td", {}, label.element), exit, node, retries, took, ended, el("td", {}, el("div", { class: "actions tight" }, buttons)));
    return {
      element,
      update() {
        label.update(task.state);
        put(exit, task.exitCode ?? "");
        put(node, shortened(task.node ?? ""));
        if (node.title !== shown(task.node)) node.title = shown(task.node);
        put(retries, task.retries || "");
        put(took, task.began === null ? "" : lasted((task.ended ?? Date.now()) - task.began));
        put(ended, task.ended === null ? "" : clock(task.ended));
      },
    };
  }

  const element = el("section", { "aria-labelledby": "tasks" },
    el("div", { class: "title" }, heading, found,
      el("div", { class: "filters" },
        el("div", { class: "actions tight" }, el("label", { for: "task-state" }, "State"), choice),
        el("div", { class: "actions tight" }, el("label", { for: "task-name" }, "Name"), search))),
    table, more);
  return {
    element, update,
    filter(state) { choice.value = state; again(); heading.focus(); },
  };
}

export function outputList(run, { signal }) {
  const heading = el("h3", { id: "outputs" }, "Outputs");
  const told = el("p", { class: "faint", role: "status" });
  const body = el("tbody");
  const table = el("div", { class: "scroll panel", hidden: true }, el("table", { "aria-labelledby": "outputs" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "File"), el("th", { scope: "col", class: "number" }, "Size"))), body));
  const more = el("button", { type: "button", hidden: true, onclick: () => { wanted += PAGE; look(); } }, "More outputs");
  const rows = new Map();
  let wanted = PAGE;
  let under = false;
  let seen = -1;

  // The daemon lists what is on its disk; asked again only when more came.
  async function look() {
    if (under) return;
    under = true;
    try {
      const { outputs, next } = await json(`${path("runs", run, "outputs")}?limit=${Math.min(wanted, 1000)}`, { signal });
      arrange(body, outputs.map(({ path: name, size }) => {
        if (!rows.has(name)) rows.set(name, el("tr", {}, el("td", {}, el("a", { href: outputPath(run, name), download: name.split("/").at(-1) }, name)), el("td", { class: "number" }, bytes(size))));
        return rows.get(name);
      }));
      hide(table, outputs.length === 0);
      hide(more, next === null || wanted >= 1000);
    } catch {
      seen = -1; // the connection is told of elsewhere
    } finally {
      under = false;
    }
  }

  function update(history) {
    put(told, history.files ? `${number(history.files)} files, ${bytes(history.bytes)}` : "none is here yet");
    if (history.files === seen || under) return;
    seen = history.files;
    look();
  }
  return { element: el("section", { "aria-labelledby": "outputs" }, el("div", { class: "title" }, heading, told), table, more), update };
}
