// 250 tasks by a JavaScript client: pool, job, tasks, wait, read, delete; prints what it saw as JSON.
//
//   node round_trip.mjs FOLDER PACKAGE POOL JOB
//
// FOLDER has the node_modules; PACKAGE is @azure/batch, or azure-batch, the one before it.

import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const TASKS = 250;
const PAGE = 100;
const CHUNK = 100;
const LIMIT = 120_000; // milliseconds
const PAUSE = 200;

const [folder, library, poolId, jobId] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const slots = library === "@azure/batch" ? "taskSlotsPerNode" : "maxTasksPerNode"; // its name changed in 2020
const { AZURE_BATCH_ACCOUNT: account, AZURE_BATCH_ACCESS_KEY: key, AZURE_BATCH_ENDPOINT: url } = process.env;

/** Makes a client by one of the two packages; what it can do has the same names in both. */
function connect() {
  const module = require(library);
  if (library === "@azure/batch") {
    return new module.BatchServiceClient(new module.BatchSharedKeyCredentials(account, key), url);
  }
  return new module.ServiceClient(new module.SharedKeyCredentials(account, key), url);
}

/** Looks again and again, with a limit: the service has no event to wait for. */
async function until(look, wanted) {
  const deadline = performance.now() + LIMIT;
  for (;;) {
    const seen = await look();
    if (wanted(seen)) return seen;
    if (performance.now() > deadline) throw new Error(`not within ${LIMIT} ms; the last seen was ${seen}`);
    await pause(PAUSE);
  }
}

/** All pages of a list. */
async function all(operations, first) {
  const items = [];
  for (let page = await first; ; page = await operations.listNext(page.odatanextLink)) {
    items.push(...page);
    if (!page.odatanextLink) return items;
  }
}

/** A stream's bytes as text; listens at once. */
function read(stream) {
  const pieces = [];
  return new Promise((resolve, reject) => {
    stream.on("data", (piece) => pieces.push(piece));
    stream.on("end", () => resolve(Buffer.concat(pieces).toString()));
    stream.on("error", reject);
  });
}

/** A file of a task as text. */
async function text(client, taskId, path) {
  if (library === "@azure/batch") {
    return read((await client.file.getFromTask(jobId, taskId, path)).readableStreamBody);
  }
  // The older package's stream flows whether somebody listens or not: only its callback is in time (awaiting
  // it lost 2 small files of 500).
  return new Promise((resolve, reject) => {
    client.file.getFromTask(jobId, taskId, path, (error, stream) =>
      error ? reject(error) : resolve(read(stream)),
    );
  });
}

/** How often each value is there. */
function count(values) {
  const counts = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

const client = connect();
await client.pool.add({
  id: poolId,
  vmSize: "standard_d2s_v3",
  targetDedicatedNodes: 2,
  [slots]: 4,
  virtualMachineConfiguration: {
    imageReference: { publisher: "canonical", offer: "ubuntu-24_04-lts", sku: "server", version: "latest" },
    nodeAgentSKUId: "batch.node.ubuntu 24.04",
  },
});
const made = await client.pool.get(poolId);
await client.job.add({ id: jobId, poolInfo: { poolId } });

const tasks = Array.from({ length: TASKS }, (_, number) => ({
  id: `task-${number}`,
  commandLine: `/bin/sh -c 'echo ${number} is $AZ_BATCH_TASK_ID'`,
}));
const added = [];
for (let start = 0; start < TASKS; start += CHUNK) {
  added.push(...(await client.task.addCollection(jobId, tasks.slice(start, start + CHUNK))).value);
}

const options = { taskListOptions: { maxResults: PAGE } };
const done = await until(
  () => all(client.task, client.task.list(jobId, options)),
  (seen) => seen.every((task) => task.state === "completed"),
);
const stdout = {};
for (const number of [0, 99, 100, TASKS - 1]) {
  stdout[`task-${number}`] = await text(client, `task-${number}`, "stdout.txt");
}
const operations = client.computeNode ?? client.computeNodeOperations;
const nodes = await all(operations, operations.list(poolId));

await client.job.deleteMethod(jobId);
await client.pool.deleteMethod(poolId);
const left = await until(
  () => all(client.pool, client.pool.list()),
  (pools) => !pools.some((pool) => pool.id === poolId),
);
const seen = {
  client: require(`${library}/package.json`).version,
  slots: made[slots],
  added: count(added.map((result) => result.status.toLowerCase())),
  listed: new Set(done.map((task) => task.id)).size,
  exit_codes: count(done.map((task) => task.executionInfo.exitCode)),
  results: count(done.map((task) => task.executionInfo.result.toLowerCase())),
  stdout,
  nodes: [...new Set(nodes.map((node) => node.state))].sort(),
  pools_left: left.map((pool) => pool.id),
};
process.stdout.write(JSON.stringify(seen));
