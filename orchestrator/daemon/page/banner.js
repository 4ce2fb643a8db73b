// Why a run stands still, or what ended it, with what to do about it.

import { arrange, el, hide } from "./dom.js";

const many = (tasks) => (tasks === 1 ? "1 task has" : `${tasks} tasks have`);

export function banner() {
  const element = el("div", { class: "banner", role: "status", hidden: true });
  let said = "";

  function update(run, history) {
    const [kind, title, reasons] = told(run, history);
    const now = JSON.stringify([kind, title, reasons]);
    hide(element, !title);
    if (now === said) return;
    said = now;
    element.dataset.kind = kind;
    arrange(element, title ? [el("p", { class: "what" }, title), el("ul", {}, reasons.map(([text, remedy]) => el("li", {}, text, remedy ? el("span", { class: "remedy" }, remedy) : null)))] : []);
  }
  return { element, update };
}

function told(run, history) {
  const left = (run.result?.leftovers ?? []).map((one) => [one, "still there, and may cost money: orchestrator gc lists and deletes it"]);
  if (left.length) return ["bad", "Something was left behind", left];
  if (run.error) return ["bad", "The run ended with an error", [[run.error, ""]]];
  if (run.phase === "finished" && run.cancelled) return ["note", "The run was cancelled", [[run.cancelled, ""]]];
  if (history.interrupted) return ["note", "The run ends early", [[history.interrupted.reason, ""]]];
  if (history.stalled) return ["bad", `Nothing moves: ${many(history.stalled.unfinished)} not ended`, history.stalled.reasons.map((one) => [one.text, one.remedy])];
  return ["", "", []];
}
