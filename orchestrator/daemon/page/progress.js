// How far a run is: from its record, which the daemon counts, in words and as a bar.

import { el, number } from "./dom.js";

const PARTS = ["succeeded", "failed", "running", "preparing"];

export function counts(run) {
  const told = run.progress ?? {};
  const result = run.result ?? {};
  const states = told.tasks_by_state ?? {};
  const failed = result.failed ?? told.tasks_failed ?? 0;
  return {
    tasks: result.tasks ?? told.tasks ?? 0,
    succeeded: result.succeeded ?? Math.max(0, (states.completed ?? 0) - failed),
    failed: failed + (result.abandoned ?? told.tasks_abandoned ?? 0),
    running: states.running ?? 0,
    preparing: states.preparing ?? 0,
  };
}

// The word that says where a run is, and the same for people.
export function standing(run) {
  if (run.phase === "queued") return ["waiting", run.place_in_line ? `waiting, place ${run.place_in_line}` : "waiting"];
  if (run.phase === "finished") return [run.outcome ?? "finished", run.outcome ?? "finished"];
  const state = run.progress?.state ?? "starting";
  return run.cancelled ? ["cancelled", `being cancelled (${state})`] : [state, state];
}

export function bar() {
  const parts = PARTS.map((name) => el("span", { class: name }));
  const element = el("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-label": "tasks that have ended" }, parts);
  let said = "";
  return {
    element,
    update(many) {
      const told = `${number(many.succeeded)} succeeded, ${number(many.failed)} failed, ${number(many.running)} running, of ${number(many.tasks)} tasks`;
      if (told === said) return;
      said = told;
      // Through the object model, since the page's policy forbids style attributes.
      PARTS.forEach((name, place) => { parts[place].style.width = many.tasks ? `${(100 * many[name]) / many.tasks}%` : "0"; });
      element.setAttribute("aria-valuemax", many.tasks || 1);
      element.setAttribute("aria-valuenow", many.succeeded + many.failed);
      element.setAttribute("aria-valuetext", told);
      element.title = told;
    },
  };
}
