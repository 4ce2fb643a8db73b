// What a run's events say of it: folded once, in order, for all that is drawn.

const CHANGES = new Set(["TaskStateChanged", "TaskStarted", "TaskRequeued", "TaskSucceeded", "TaskFailed"]);
export const SHOWN = ["active", "preparing", "running", "failed", "succeeded"];
const MOST_POINTS = 1500;
const FIRST_STEP = 50;

export class History {
  constructor() {
    this.tasks = new Map();
    this.nodes = new Map();
    this.failures = [];
    this.counts = Object.fromEntries(SHOWN.map((name) => [name, 0]));
    this.points = [];
    this.step = FIRST_STEP;
    this.files = 0;
    this.bytes = 0;
    this.stalled = null;
    this.interrupted = null;
    this.state = null;
    this.finished = false;
    this.root = "";
    this.last = 0;
    this.version = 0; // of what the timeline is laid out from
  }

  take(name, event, number) {
    if (number <= this.last) return; // told again after a break
    this.last = number;
    const time = Date.parse(event.time);
    if (CHANGES.has(name)) this.move(name, event, time);
    else if (FOLDS[name]) FOLDS[name](this, event, time);
    else return;
    this.point(time);
  }

  task(id, time) {
    let task = this.tasks.get(id);
    if (!task) {
      task = { id, state: "active", node: null, began: null, ended: null, retries: 0, added: time, failure: null, files: new Map(), brought: false, missing: [] };
      this.tasks.set(id, task);
      this.counts.active += 1;
    }
    return task;
  }

  move(name, event, time) {
    const task = this.task(event.key.task_id, time);
    this.version += 1;
    this.stalled = null;
    if (event.node_id) this.place(task, event.node_id);
    task.retries = event.retry_count ?? task.retries;
    if (name === "TaskSucceeded" || name === "TaskFailed") {
      task.began = event.started_at ? Date.parse(event.started_at) : task.began;
      task.exitCode = event.exit_code ?? null;
      this.end(task, event.ended_at ? Date.parse(event.ended_at) : time, name === "TaskFailed" ? event.failure ?? {} : null);
      return;
    }
    if (name === "TaskStarted") task.began = time;
    if (name === "TaskRequeued") task.began = null;
    this.change(task, event.state);
  }

  place(task, node) {
    if (task.node === node) return;
    if (task.node) this.nodes.get(task.node)?.delete(task);
    task.node = node;
    if (!this.nodes.has(node)) this.nodes.set(node, new Set());
    this.nodes.get(node).add(task);
  }

  end(task, time, failure) {
    this.version += 1;
    task.ended = time;
    if (failure && !task.failure) {
      task.failure = failure;
      this.failures.push(task);
    }
    this.change(task, failure ? "failed" : "succeeded");
  }

  change(task, state) {
    if (!(state in this.counts)) return;
    this.counts[task.state] -= 1;
    task.state = state;
    this.counts[state] += 1;
  }

  // Whether there is still something to come.
  get waits() {
    return !this.finished && this.counts.failed + this.counts.succeeded < this.tasks.size;
  }

  // A point a moment; when there are too many every second one goes, so that a long run costs no more.
  point(time) {
    const values = SHOWN.map((name) => this.counts[name]);
    const last = this.points.at(-1);
    if (last && time - last[0] < this.step) last.splice(1, values.length, ...values);
    else this.points.push([time, ...values]);
    if (this.points.length > MOST_POINTS) {
      this.points = this.points.filter((_, place) => place % 2 === 1);
      this.step *= 2;
    }
  }

  // Where a file of a task is among the run's results.
  name(file) {
    return this.root && file.startsWith(this.root) ? file.slice(this.root.length) : null;
  }
}

const FOLDS = {
  RunStarted: (history, event) => { history.root = `${event.download_dir}/${event.job_id}/`; },
  RunStateChanged: (history, event) => { history.state = event.state; },
  RunStalled: (history, event) => { history.stalled = event; },
  RunInterrupted: (history, event) => { history.interrupted = event; history.stalled = null; },
  RunFinished: (history) => { history.finished = true; history.stalled = null; },
  TasksSubmitted: (history, event, time) => { for (const id of event.task_ids) history.task(id, time); },
  TasksRejected: (history, event, time) => { for (const [id, code, message] of event.rejections) history.end(history.task(id, time), time, { code, message }); },
  TaskAbandoned: (history, event, time) => { history.end(history.task(event.key.task_id, time), time, { code: "given up", message: event.reason }); },
  OutputDownloaded: (history, event, time) => {
    const task = history.task(event.key.task_id, time);
    const name = history.name(event.path);
    if (name?.startsWith(`${task.id}/`)) task.files.set(name.slice(task.id.length + 1), event.size);
    history.files += 1;
    history.bytes += event.size;
  },
  OutputsDownloaded: (history, event, time) => {
    const task = history.task(event.key.task_id, time);
    task.brought = true;
    task.missing = event.missing ?? [];
  },
};
