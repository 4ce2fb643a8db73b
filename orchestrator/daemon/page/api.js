// The daemon's API, as the page uses it. The cookie goes along by itself; no token is ever kept here.

export class Refusal extends Error {
  constructor(status, told) {
    super(told);
    this.status = status;
  }

  // Trying again would bring the same answer.
  get final() {
    return [400, 401, 403, 404, 409, 422].includes(this.status);
  }
}

export async function ask(path, { method = "GET", body, signal, headers = {} } = {}) {
  const answer = await fetch(path, {
    method, signal, credentials: "same-origin", cache: "no-store",
    headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw new Refusal(answer.status, await told(answer));
  return answer;
}

export async function json(path, options) {
  const answer = await ask(path, options);
  return answer.status === 204 ? null : answer.json();
}

async function told(answer) {
  try {
    const problem = await answer.json();
    return [problem.detail || problem.title, problem.remedy].filter(Boolean).join(": ") || `status ${answer.status}`;
  } catch {
    return `status ${answer.status}`;
  }
}

export const path = (...parts) => "v1/" + parts.map(encodeURIComponent).join("/");

export function outputPath(run, name) {
  // The slashes of a path stay; each part is encoded.
  return path("runs", run, "outputs") + "/" + name.split("/").map(encodeURIComponent).join("/");
}

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 5000;
const SILENCE = 30_000; // the daemon says something at least each second

// Follows server-sent events until `take` gives true: after a break it goes on after the last number, so that
// nothing is missed when the daemon restarts. EventSource would need a listener for each class of event.
export async function follow(url, { after = "", take, over = () => false, connection, signal }) {
  let last = after;
  let pause = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      const answer = await ask(url, { signal, headers: { Accept: "text/event-stream", "Last-Event-ID": String(last) } });
      connection(true);
      pause = FIRST_PAUSE;
      for await (const event of events(answer.body)) {
        if (event.id) last = Number(event.id);
        if (event.data && take(event.name, JSON.parse(event.data), last)) return;
      }
      if (over()) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refusal && error.final) throw error;
      connection(false);
    }
    await rest(pause, signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

export function rest(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => { clearTimeout(timer); signal?.removeEventListener("abort", end); resolve(); };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}

// Calls `work` again and again; it gives the pause after it, which `now` cuts short.
export function beats(signal, work, connection) {
  let wake = () => {};
  return {
    now: () => wake(),
    async forEver() {
      while (!signal.aborted) {
        let pause = LONGEST_PAUSE;
        let woken = new AbortController();
        wake = () => woken.abort();
        try {
          pause = await work();
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof Refusal && error.final) throw error;
          connection(false);
          woken = new AbortController();
          pause = 1000;
        }
        await rest(Math.min(pause, 300), signal); // however often it is called
        await rest(pause - 300, AbortSignal.any([signal, woken.signal]));
      }
    },
  };
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  let event = { name: "message", data: "", id: "" };
  let alarm;
  try {
    for (;;) {
      clearTimeout(alarm);
      alarm = setTimeout(() => reader.cancel().catch(() => {}), SILENCE);
      const { value, done } = await reader.read();
      if (done) return;
      waiting += value;
      const lines = waiting.split("\n");
      waiting = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data || event.id) yield event;
          event = { name: "message", data: "", id: "" };
          continue;
        }
        const colon = line.indexOf(":");
        const [field, content] = colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
        if (field === "event") event.name = content;
        else if (field === "id") event.id = content;
        else if (field === "data") event.data += (event.data ? "\n" : "") + content;
      }
    }
  } finally {
    clearTimeout(alarm);
    reader.cancel().catch(() => {});
  }
}
