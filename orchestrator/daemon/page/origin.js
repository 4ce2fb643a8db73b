// Where a run came from, in words.

const WAYS = { http: "by HTTP", cli: "by the command line", inbox: "by the inbox", retry: "again" };

// Whom the ways name as their submitter is no person.
export function origin(run) {
  const name = run.name && run.name !== "job" ? `${run.name}, ` : "";
  const nobody = Object.hasOwn(WAYS, run.submitter);
  const way = run.source === "http" && run.submitter === "cli" ? WAYS.cli : WAYS[run.source] ?? run.source;
  return `${name}${way}${nobody ? "" : ` from ${run.submitter}`}`;
}
