// What can be done with a run, by who may act.

import { ask, json, path } from "./api.js";
import { announce, el, hide, put } from "./dom.js";

const SURE = 5000;

export function makeActions(id, { mayWrite, refresh }) {
  const cancel = el("button", { type: "button", class: "danger", hidden: true }, "Cancel the run");
  const retry = el("button", { type: "button", class: "primary", hidden: true }, "Do the failed tasks again");
  const trouble = el("p", { class: "problem", role: "alert", hidden: true });
  let asked = null;

  async function act(button, work) {
    button.disabled = true;
    hide(trouble, true);
    try {
      await work();
    } catch (error) {
      hide(trouble, false);
      put(trouble, error.message);
      button.disabled = false;
    }
  }

  // Asked on the button itself: a second press means it.
  function calm() {
    clearTimeout(asked);
    asked = null;
    put(cancel, "Cancel the run");
  }

  cancel.addEventListener("click", () => {
    if (asked === null) {
      put(cancel, "Really cancel?");
      announce("Press once more to cancel the run");
      asked = setTimeout(calm, SURE);
      return;
    }
    calm();
    act(cancel, async () => {
      await ask(path("runs", id, "cancel"), { method: "POST", body: {} });
      announce("The run is being cancelled");
      refresh();
    });
  });
  cancel.addEventListener("blur", () => { if (asked !== null) calm(); });
  retry.addEventListener("click", () => act(retry, async () => {
    const again = await json(path("runs", id, "retry-failed"), { method: "POST", body: {} });
    location.hash = `#/runs/${encodeURIComponent(again.id)}`;
  }));
  return {
    element: el("div", { class: "actions" }, cancel, retry, trouble),
    update(run, failed) {
      hide(cancel, !mayWrite || run.phase === "finished");
      if (run.cancelled && !cancel.disabled) cancel.disabled = true;
      hide(retry, !mayWrite || run.phase !== "finished" || failed === 0);
    },
  };
}
