// Where each task lies on the timeline: tasks of a node that overlap get lanes of their own.

export function lay(history) {
  const rows = [];
  let first = Infinity;
  let last = -Infinity;
  for (const node of [...history.nodes.keys()].sort()) {
    const begun = [...history.nodes.get(node)].filter((task) => task.began !== null).sort((a, b) => a.began - b.began);
    if (!begun.length) continue;
    const free = [];
    const tasks = [];
    for (const task of begun) {
      let place = free.findIndex((until) => until <= task.began);
      if (place === -1) place = free.push(0) - 1;
      free[place] = task.ended ?? Infinity;
      tasks.push({ task, place });
      last = Math.max(last, task.ended ?? task.began);
    }
    first = Math.min(first, begun[0].began);
    rows.push({ node, lanes: free.length, tasks });
  }
  return { rows, first, last, lanes: rows.reduce((sum, row) => sum + row.lanes, 0) };
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400].map((seconds) => seconds * 1000);

// Times for the axis: round ones, at least so many milliseconds apart.
export function ticks(from, to, apart) {
  const step = STEPS.find((one) => one >= apart) ?? Math.ceil(apart / 86_400_000) * 86_400_000;
  const shift = new Date(from).getTimezoneOffset() * 60_000;
  const times = [];
  for (let time = Math.ceil((from - shift) / step) * step + shift; time <= to; time += step) times.push(time);
  return { times, step };
}
