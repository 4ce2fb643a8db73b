// Preloaded into the blob server. For each request Azurite compares the address with the templates of all its
// operations, a hundred, and makes each template anew; Express takes the query apart each time that one of them
// asks for a part of it; a container's SAS is signed again for each blob of it. All depend on their arguments alone.
// Kept, a request takes a third less of the one core.
"use strict";
const { createRequire } = require("module");
const path = require("path");

const script = createRequire(process.argv[1]);
const MOST = 4096;
const LONG = 512; // characters of a key with what a client may make as long as it likes

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

// Which operation a request is for hangs on its method, on what the path names, and on what some operation requires:
// the presence of parameters, and the values of those that only have certain ones.
function rememberOperations() {
  const generated = path.join(path.dirname(process.argv[1]), "generated");
  const dispatch = script(path.join(generated, "middleware", "dispatch.middleware.js"));
  const specifications = Object.values(script(path.join(generated, "artifacts", "specifications.js")).default);
  const required = (kind) => {
    const whetherValued = new Map();
    for (const { mapper } of specifications.flatMap((specification) => specification[kind] ?? [])) {
      if (mapper.required) {
        const name = mapper.serializedName;
        const valued = mapper.isConstant || mapper.type.name === "Enum";
        whetherValued.set(name, valued || whetherValued.get(name) || false);
      }
    }
    return [...whetherValued];
  };
  const queries = required("queryParameters");
  const headers = required("headerParameters");
  const told = (value, valued) => (value === undefined ? "" : valued ? `=${value}` : "=");
  const find = dispatch.default;
  const known = new Map();
  dispatch.default = (context, request, next, logger) => {
    const what = [request.getMethod(), request.getHeader("X-HTTP-Method"), context.dispatchPattern ?? request.getPath()];
    const key = JSON.stringify([
      ...what,
      ...queries.map(([name, valued]) => told(request.getQuery(name), valued)),
      ...headers.map(([name, valued]) => told(request.getHeader(name), valued)),
    ]);
    const operation = known.get(key);
    if (operation !== undefined) {
      context.operation = operation;
      next();
      return;
    }
    find(context, request, (error) => {
      if (error === undefined && key.length < LONG) {
        if (known.size >= MOST) {
          known.clear();
        }
        known.set(key, context.operation);
      }
      next(error);
    }, logger);
  };
}

rememberOperations();
rememberMatches();
rememberQueries();
rememberSignatures();
