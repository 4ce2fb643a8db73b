// Which view is shown: the address after the `#` says it, so that a reload and the back button work.

import { Refusal, ask, json, rest } from "./api.js";
import { announce, el, hide, put } from "./dom.js";
import { showRun } from "./run.js";
import { showRuns } from "./runs.js";

const AGAIN = 2000;
const content = document.getElementById("content");
const leave = document.getElementById("leave");
const may = document.getElementById("may");
const line = document.getElementById("connection");
let current = new AbortController();

function connection(well) {
  line.dataset.state = well ? "well" : "lost";
  put(line, well ? "live" : "connection lost, trying again");
}

async function show({ focus = false } = {}) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  while (!signal.aborted) {
    content.replaceChildren();
    try {
      const { scope } = await json("page/session", { signal });
      connection(true);
      if (scope === null) return askForToken();
      hide(leave, false);
      hide(may, scope === "write");
      const shown = view({ signal, connection, mayWrite: scope === "write", content });
      if (focus) focusHeading(signal);
      return await shown;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refusal && error.status === 401) return askForToken("The session is over.");
      content.replaceChildren(el("p", { class: "problem", role: "alert" }, error.message), el("p", {}, el("a", { href: "#/" }, "All runs")));
      if (error instanceof Refusal && error.final) return;
      connection(false);
      await rest(AGAIN, signal);
    }
  }
}

function view(context) {
  const run = /^#\/runs\/(.+)$/.exec(location.hash);
  return run ? showRun(decoded(run[1]), context) : showRuns(context);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // no run is called that, which is told
  }
}

// A view has its heading once its first answer came.
function focusHeading(signal) {
  const heading = () => content.querySelector("h2, .problem");
  const watch = new MutationObserver(() => { if (heading()) { watch.disconnect(); heading().focus(); } });
  if (heading()) heading().focus();
  else watch.observe(content, { childList: true });
  signal.addEventListener("abort", () => watch.disconnect());
}

function askForToken(why = "") {
  current.abort();
  hide(leave, true);
  hide(may, true);
  document.title = "Log in · orchestrator";
  const token = el("input", { type: "password", id: "token", name: "token", autocomplete: "current-password", required: true, "aria-describedby": "token-how" });
  const trouble = el("p", { class: "problem", role: "alert", hidden: !why }, why);
  const form = el("form", { class: "login panel", "aria-labelledby": "log-in" },
    el("h2", { id: "log-in" }, "Log in"),
    el("input", { type: "text", name: "name", autocomplete: "username", value: "orchestrator", hidden: true, readonly: true }), // for password stores
    el("label", { for: "token" }, "Token"), token,
    el("p", { class: "faint", id: "token-how" }, "The daemon keeps two in its state folder: ", el("code", {}, "read.token"), " to look, ", el("code", {}, "write.token"), " to cancel and retry as well."),
    el("button", { type: "submit", class: "primary" }, "Log in"), trouble);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await ask("page/session", { method: "POST", body: { token: token.value } });
      await show({ focus: true });
    } catch (error) {
      hide(trouble, false);
      put(trouble, error.status === 401 ? "This is not one of the daemon's tokens." : error.message);
      token.select();
    }
  });
  content.replaceChildren(form);
  token.focus();
}

leave.addEventListener("click", async () => {
  try {
    await ask("page/session", { method: "DELETE" });
    announce("Logged out");
  } catch {
    connection(false);
    return;
  }
  await show();
});
window.addEventListener("hashchange", () => show({ focus: true }));
show();
