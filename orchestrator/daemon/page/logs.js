// A task's stdout or stderr, growing while it runs.

import { Refusal, ask, outputPath, path, rest } from "./api.js";
import { announce, el, hide, put, shown } from "./dom.js";

const KEPT = 200_000; // characters in the page; the file has all of it
const AGAIN = 1000;

// `complete` says of a task whether all that it wrote is here.
export function logView(run, { signal, complete }) {
  const name = el("h3", { id: "log-name" });
  const status = el("p", { class: "faint", role: "status" });
  const text = el("pre", { class: "log", tabindex: 0, role: "region", "aria-labelledby": "log-name" });
  const others = ["stdout", "stderr"].map((log) => el("button", { type: "button", onclick: () => open(shownNow.task, log) }, log));
  const low = el("input", { type: "checkbox", checked: true });
  const close = el("button", { type: "button", onclick: () => shut() }, "Close");
  const element = el("section", { class: "panel", hidden: true, "aria-labelledby": "log-name" },
    el("div", { class: "bar-of-tools" }, name, ...others, el("label", {}, low, " keep at the end"), close), status, text);
  let stop = new AbortController();
  let shownNow = { task: "", log: "" };
  let opener = null;
  signal.addEventListener("abort", () => stop.abort());

  function open(task, log) {
    if (element.hidden || !element.contains(document.activeElement)) opener = document.activeElement;
    stop.abort();
    stop = new AbortController();
    shownNow = { task, log };
    put(name, `${log} of ${task}`);
    others.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === log)));
    text.textContent = "";
    hide(element, false);
    element.scrollIntoView({ block: "nearest" });
    text.focus({ preventScroll: true });
    tail(task, log, stop.signal);
  }

  function shut() {
    stop.abort();
    hide(element, true);
    if (opener?.isConnected) opener.focus();
  }

  async function tail(task, log, mine) {
    const decoder = new TextDecoder();
    const place = { read: 0 };
    put(status, "waiting for it");
    while (!mine.aborted) {
      // Asked before reading: what is complete by then is read to its end.
      const over = complete(task);
      try {
        await read(task, log, mine, decoder, place);
        if (over) return end(place.read ? "complete" : "empty");
        put(status, place.read ? "live" : "nothing yet");
      } catch (error) {
        if (mine.aborted) return;
        if (error instanceof Refusal && error.final) return end(error.message);
        put(status, "connection lost, trying again");
      }
      await rest(AGAIN, mine);
    }
  }

  function end(told) {
    put(status, told);
    announce(`${shownNow.log} of ${shownNow.task}: ${told}`);
  }

  // Reads on from where the last answer ended: the daemon gives a log from its beginning.
  async function read(task, log, mine, decoder, place) {
    const answer = await ask(path("runs", run, "tasks", task, log) + "?follow=1", { signal: mine });
    const reader = answer.body.getReader();
    let skip = place.read;
    for (;;) {
      const { value, done } = await reader.read();
      if (done || mine.aborted) return;
      const fresh = value.subarray(Math.min(skip, value.length));
      skip -= value.length - fresh.length;
      if (!fresh.length) continue;
      place.read += fresh.length;
      put(status, "live");
      add(decoder.decode(fresh, { stream: true }));
    }
  }

  function add(piece) {
    text.append(written(piece));
    if (text.childNodes.length > 50) text.normalize();
    if (text.textContent.length > KEPT * 1.2) text.textContent = "… (the file has the beginning)\n" + text.textContent.slice(-KEPT);
    if (low.checked) text.scrollTop = text.scrollHeight;
  }

  return { element, open };
}

const written = (text) => shown(text.replace(/\r\n/g, "\n"), { lines: true });

// The last lines of a file that is here, for a card.
export async function lastLines(run, file, { signal, lines = 8 }) {
  const answer = await ask(outputPath(run, file), { signal, headers: { Range: "bytes=-4096" } });
  return written(await answer.text()).trimEnd().split("\n").slice(-lines).join("\n");
}
