// A card for each failed task: what happened, where, what it said last, and what to do.

import { json, path } from "./api.js";
import { arrange, el, hide, number, put, shortened, shown } from "./dom.js";
import { lastLines } from "./logs.js";

const FEW = 6; // at first
const MOST = 30;
const WHOSE = { user: "command", infrastructure: "node", storage: "files", service: "service", unknown: "unknown cause" };

export function failureCards(run, { signal, openLog, filterFailed }) {
  const list = el("ul", { class: "cards" });
  const more = el("button", { type: "button", hidden: true });
  let wanted = FEW;
  let last = null;
  more.addEventListener("click", () => {
    if (wanted === MOST) return filterFailed();
    const before = cards.size;
    wanted = MOST;
    update(last);
    [...cards.values()][before]?.element.querySelector("button").focus(); // on from where the button was
  });
  const heading = el("h3", { id: "failures" });
  const element = el("section", { hidden: true, "aria-labelledby": "failures" }, heading, list, more);
  const cards = new Map();
  let asking = false;
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) cards.get(entry.target.dataset.task)?.look();
  }, { rootMargin: "200px" });
  signal.addEventListener("abort", () => seen.disconnect());

  function update(history) {
    last = history;
    const many = history.failures.length;
    hide(element, many === 0);
    put(heading, `${number(many)} ${many === 1 ? "task" : "tasks"} failed`);
    for (const task of history.failures.slice(cards.size, wanted)) {
      const made = card(task);
      cards.set(task.id, made);
      seen.observe(made.element);
    }
    arrange(list, [...cards.values()].map((one) => one.element));
    for (const one of cards.values()) one.update();
    hide(more, many <= wanted);
    put(more, wanted === MOST ? `The other ${number(many - MOST)}, in the table of tasks` : `${number(Math.min(many, MOST) - FEW)} more`);
    askForRemedies();
  }

  // The daemon knows whose doing a failure is, and what to do.
  async function askForRemedies() {
    if (asking || ![...cards.values()].some((one) => one.unexplained)) return;
    asking = true;
    try {
      const { tasks } = await json(`${path("runs", run, "tasks")}?state=failed&limit=${2 * MOST}`, { signal });
      for (const row of tasks) cards.get(row.task_id)?.explain(row);
      for (const one of cards.values()) one.unexplained = false; // beyond those rows: asked for in vain
    } catch {
      // The connection is told of elsewhere; the next event asks again.
    } finally {
      asking = false;
    }
  }

  function card(task) {
    const why = task.failure;
    const said = el("pre", { tabindex: 0, role: "region", "aria-label": `last lines of stderr of ${task.id}`, hidden: true });
    const whose = el("span", { class: "badge", hidden: true });
    const remedy = el("p", { class: "remedy", hidden: true });
    const where = el("p", { class: "faint" });
    const exit = task.exitCode === null || task.exitCode === undefined ? null : el("span", { class: "badge" }, `exit code ${task.exitCode}`);
    const buttons = ["stderr", "stdout"].map((log) => el("button", { type: "button", "aria-label": `${log} of ${task.id}`, onclick: () => openLog(task.id, log) }, log));
    const element = el("li", { class: "card", "data-task": task.id },
      el("h4", {}, task.id), el("p", { class: "badges" }, el("span", { class: "badge code" }, why.code ?? "failed"), exit, whose),
      why.message ? el("p", {}, why.message) : null, where, said, remedy, el("p", { class: "actions" }, buttons));
    let asked = false;
    return {
      element,
      unexplained: true,
      explain(row) {
        put(whose, WHOSE[row.failure_class] ?? "");
        hide(whose, !row.failure_class);
        put(remedy, row.remedy ?? "");
        hide(remedy, !row.remedy);
      },
      update() {
        where.title = shown(task.node);
        put(where, `${task.node ? `on ${shortened(task.node)}` : "on no node"}${task.retries ? `, after ${task.retries} ${task.retries === 1 ? "retry" : "retries"}` : ""}`);
        if (element.dataset.near) this.look();
      },
      // Once the card is in sight and the file is here.
      look() {
        element.dataset.near = "1";
        const size = task.files.get("stderr.txt");
        if (asked || (size === undefined && !task.brought)) return;
        asked = true;
        hide(said, false);
        if (!size) { put(said, size === 0 ? "(stderr is empty)" : "(there is no stderr)"); return; }
        lastLines(run, `${task.id}/stderr.txt`, { signal })
          .then((lines) => { said.textContent = lines; })
          .catch(() => { asked = false; });
      },
    };
  }
  return { element, update };
}
