// Preloaded into the blob server: the disk under it. Azurite gives each open, read, write and close of a small blob
// to another thread and waits to be woken, which takes longer than the call itself where the content is in memory,
// as what was written a moment ago always is. A seventh of the server's work for small blobs.
"use strict";
const fs = require("fs");

// Bytes; what is larger may have to come from the disk, and the server would stand still meanwhile.
const SMALL = 32 * 1024;

// By descriptor, the calls that another thread still has to do, and who waits to close it: a close that overtook them
// would leave them to whichever file gets its number next.
const pending = new Map();
const closing = new Map();

function elsewhere(call, descriptor, given) {
  const done = given.at(-1);
  const over = () => {
    const left = pending.get(descriptor) - 1;
    if (left > 0) {
      pending.set(descriptor, left);
      return;
    }
    pending.delete(descriptor);
    const waiting = closing.get(descriptor) ?? [];
    closing.delete(descriptor);
    waiting.forEach((close) => close());
  };
  pending.set(descriptor, (pending.get(descriptor) ?? 0) + 1);
  try {
    return call(descriptor, ...given.slice(0, -1), (...told) => {
      try {
        done(...told); // may begin the next call, before which nothing is to be closed either
      } finally {
        over();
      }
    });
  } catch (error) {
    over();
    throw error;
  }
}

function closeAfterAll(descriptor, done) {
  const close = () => atOnce(fs.closeSync, [descriptor], done);
  if (pending.has(descriptor)) {
    closing.set(descriptor, [...(closing.get(descriptor) ?? []), close]);
  } else {
    close();
  }
}

function atOnce(call, given, done, ...also) {
  let result;
  try {
    result = call(...given);
  } catch (error) {
    process.nextTick(done, error);
    return;
  }
  process.nextTick(done, null, ...(result === undefined ? [] : [result, ...also]));
}

// In its general form only: (descriptor, buffer, offset, length, position, done).
function smallAtOnce(call, callSync) {
  return (...given) => {
    const [descriptor, buffer, , length] = given;
    if (given.length !== 6 || !(length < SMALL) || pending.has(descriptor)) {
      return elsewhere(call, descriptor, given.slice(1));
    }
    return atOnce(callSync, given.slice(0, 5), given[5], buffer);
  };
}

// Nobody in the server asks for a promise of a read or a write.
const { writev } = fs;
fs.open = (...given) => atOnce(fs.openSync, given.slice(0, -1), given.at(-1));
fs.close = (descriptor, done = () => {}) => closeAfterAll(descriptor, done);
fs.read = smallAtOnce(fs.read, fs.readSync);
fs.write = smallAtOnce(fs.write, fs.writeSync);
fs.writev = (descriptor, ...given) => elsewhere(writev, descriptor, given);

// When the machine fails, what was stored in the seconds before is lost with it or without: the index of the blobs
// is written every five seconds and never synchronised.
fs.fdatasync = (descriptor, done) => process.nextTick(done, null);
