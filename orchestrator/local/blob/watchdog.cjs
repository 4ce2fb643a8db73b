// Loaded into the blob server by `node --require`. The service holds the other end of its standard input: when that
// closes, by the service's wish or by whatever death of it, the server writes its data and ends.
"use strict";

const CLOSED = "successfully closed"; // what Azurite says when its data is written
const LIMIT = 5000; // milliseconds for that

let leaving = false;

function leave() {
  if (leaving) {
    return;
  }
  leaving = true;
  setTimeout(() => process.exit(1), LIMIT);
  // Azurite closes on the first one only; a second one would end it in the middle.
  process.kill(process.pid, "SIGTERM");
}

// With its data written, Azurite would go on waiting for clients to let their idle connections go.
const log = console.log;
console.log = (...words) => {
  log(...words);
  if (String(words[0]).includes(CLOSED)) {
    process.exit(0);
  }
};

process.stdin.on("end", leave);
process.stdin.on("close", leave);
process.stdin.on("error", leave);
process.stdin.resume();
