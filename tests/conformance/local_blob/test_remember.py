"""What the blob server keeps from one request for the next is what it would work out anew."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from orchestrator.local.blob import install

REMEMBER = Path(install.__file__).parent / "remember.cjs"
# The server's own modules, asked twice: as they are, and with what remembers in front of them.
ASKED = """
const { createRequire } = require("module");
const path = require("path");
process.argv[1] = SERVER;
const script = createRequire(SERVER);
const utils = script(path.join(path.dirname(SERVER), "generated", "utils", "utils.js"));
const { request } = script("express");
const { parse } = require("querystring");
const signing = script(path.join(path.dirname(SERVER), "..", "common", "utils", "utils.js"));
const specifications = script(path.join(path.dirname(SERVER), "generated", "artifacts", "specifications.js"));
const templates = Object.values(specifications.default).map((operation) => `/${operation.path || ""}`);
const paths = ["/", "/container", "/container/blob", "/container/folder/blob", "", "//", "/a%2fb", "/$logs"];

const app = { get: () => (text) => ({ ...parse(text), asked: asked += 1 }) };
let asked = 0;
function answers() {
  const found = paths.map((url) => templates.map((template) => utils.isURITemplateMatch(url, template)));
  const call = Object.assign(Object.create(request), { app, url: "/container?comp=list&prefix=a%20b" });
  asked = 0;
  const queries = [call.query, call.query];
  call.url = "/container?comp=block";
  queries.push(call.query);
  const other = Object.assign(Object.create(request), { app, url: call.url });
  queries.push(other.query);
  const names = queries.map(({ comp, prefix }) => [comp, prefix]);
  const keys = ["a2V5", "a2V6"].map((key) => Buffer.from(key, "base64"));
  const texts = ["r\\n/a", "r\\n/b"];
  const signed = keys.flatMap((key) => texts.map((text) => signing.computeHMACSHA256(text, key)));
  return { found, names, asked, signed };
}

// Each operation that has a name, and what comes near one: a parameter less, an unknown value, both at once.
const dispatch = script(path.join(path.dirname(SERVER), "generated", "middleware", "dispatch.middleware.js"));
const logger = { verbose() {}, info() {}, error() {} };
function dispatched(method, pattern, query, headers) {
  const request = {
    getMethod: () => method,
    getPath: () => "/container/blob",
    getQuery: (name) => query[name],
    getHeader: (name) => headers[name],
  };
  const context = { dispatchPattern: pattern };
  let told = "nothing";
  const next = (error) => (told = error === undefined ? context.operation : error.message);
  dispatch.default(context, request, next, logger);
  return told;
}
function operations() {
  const queries = [{}, { comp: "list" }, { comp: "block", blockid: "a" }, { comp: "block" }, { comp: "x" }];
  queries.push({ restype: "container" }, { restype: "container", comp: "list" }, { comp: "metadata" });
  queries.push({ restype: "container", comp: "acl", delimiter: "/" }, { comp: "copy", copyid: "a" });
  queries.push({ comp: "blocklist" });
  const block = { "x-ms-blob-type": "BlockBlob", "Content-Length": "1" };
  const headers = [{}, block, { ...block, "x-ms-blob-type": "Other" }, { "x-ms-blob-type": "PageBlob" }];
  const copy = { "x-ms-copy-source": "http://a" };
  headers.push({ "X-HTTP-Method": "GET" }, copy, { ...block, ...copy });
  headers.push({ ...copy, "x-ms-requires-sync": "true" }, { "x-ms-lease-action": "acquire" });
  headers.push({ "x-ms-lease-action": "x" });
  const found = [];
  for (const method of ["GET", "PUT", "HEAD", "DELETE", "POST", "PATCH"]) {
    for (const pattern of ["/", "/container", "/container/blob", undefined]) {
      for (const query of queries) {
        found.push(...headers.map((given) => dispatched(method, pattern, query, given)));
      }
    }
  }
  return found;
}
const all = () => ({ ...answers(), operations: operations() });
const anew = all();
require(REMEMBER);
console.log(JSON.stringify([anew, all(), all()]));
"""


@pytest.mark.timeout(60)
def test_what_is_kept_is_what_would_be_worked_out_anew(tmp_path: Path) -> None:
    azurite = install.ensure_azurite()
    program = tmp_path / "ask.cjs"
    constants = (
        f"const SERVER = {json.dumps(str(azurite.script))}; const REMEMBER = {json.dumps(str(REMEMBER))};"
    )
    program.write_text(constants + ASKED)
    told = subprocess.run([azurite.node, program], capture_output=True, check=True, timeout=50)
    anew, first, second = json.loads(told.stdout)
    assert anew["asked"] == 4
    assert first["asked"] == second["asked"] == 3, "one for each address of a request"
    assert any(map(any, anew["found"]))
    assert not all(map(all, anew["found"]))
    assert len(set(anew["signed"])) == 4
    assert len(set(anew["operations"])) > 20
    for kept in (first, second):
        assert kept["operations"] == anew["operations"]
        assert kept["signed"] == anew["signed"]
        assert kept["found"] == anew["found"]
        assert kept["names"] == anew["names"]
