"""What the blob server does with the disk at once has the same outcome as in another thread."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from orchestrator.local.blob import install

DISK = Path(install.__file__).parent / "disk.cjs"
# Each call as a program of Node makes it, with its outcome and whether that came before the call was over.
ASKED = """
const fs = require("fs");
const { promisify } = require("util");
const { once } = require("events");
let early = false;

function outcome(call, ...given) {
  return new Promise((resolve) => {
    let over = false;
    call(...given, (error, ...found) => {
      early ||= !over;
      const known = found.map((one) => (Buffer.isBuffer(one) ? one.toString("latin1") : one));
      resolve(error ? [error.code, error.syscall] : known);
    });
    over = true;
  });
}

async function all(folder) {
  const file = `${folder}/file`;
  const found = [];
  const put = async (call, ...given) => found.push(await outcome(call, ...given));
  const descriptor = await promisify(fs.open)(file, "w+");
  await put(fs.write, descriptor, Buffer.from("0123456789"), 2, 5, 0);
  await put(fs.write, descriptor, Buffer.from("ab"), 0, 2, null);
  await put(fs.write, descriptor, Buffer.alloc(100_000, "x"), 0, 100_000, 7);
  await put(fs.read, descriptor, Buffer.alloc(4), 1, 3, 2);
  await put(fs.read, descriptor, Buffer.alloc(4), 0, 4, 1_000_000);
  await put(fs.read, descriptor, Buffer.alloc(5), 0, 5, null);
  await put(fs.read, descriptor, { buffer: Buffer.alloc(3), position: 1 });
  await put(fs.write, descriptor, "text", 0);
  await put(fs.fdatasync, descriptor);
  await put(fs.close, descriptor);
  await put(fs.close, 9999);
  await put(fs.read, 9999, Buffer.alloc(4), 0, 4, 0);
  await put(fs.write, 9999, Buffer.alloc(4), 0, 4, 0);
  await put(fs.open, `${folder}/none/file`, "r");
  await put(fs.open, folder, "w", 0o600);
  const made = await promisify(fs.open)(`${folder}/mode`, "wx", 0o640);
  found.push((fs.fstatSync(made).mode & 0o777).toString(8));
  fs.close(made);
  await put(fs.open, `${folder}/mode`, "wx");
  const written = fs.createWriteStream(`${folder}/stream`, { highWaterMark: 1000 });
  for (let turn = 0; turn < 200; turn += 1) {
    written.write(Buffer.alloc(turn * 5, String(turn)));
  }
  written.write(Buffer.alloc(70_000, "y"));
  written.end("end");
  await once(written, "close");
  const pieces = [];
  for await (const piece of fs.createReadStream(`${folder}/stream`, { start: 10, end: 160_000 })) {
    pieces.push(piece);
  }
  const whole = Buffer.concat(pieces);
  found.push(require("crypto").createHash("md5").update(whole).digest("hex"), whole.length);
  return found;
}

// Nothing is waited for: a close comes after what was begun before, and what is opened next gets none of it.
async function hurried(folder) {
  const shared = await promisify(fs.open)(`${folder}/shared`, "a");
  const begun = [
    outcome(fs.write, shared, Buffer.alloc(1 << 20, "z"), 0, 1 << 20, null),
    outcome(fs.write, shared, Buffer.from("end"), 0, 3, null),
    outcome(fs.writev, shared, [Buffer.from("a"), Buffer.from("b")]),
  ];
  await promisify(fs.close)(shared);
  const next = await promisify(fs.open)(`${folder}/next`, "w");
  const told = await Promise.all(begun);
  await promisify(fs.close)(next);
  const sizes = [fs.statSync(`${folder}/shared`).size, fs.statSync(`${folder}/next`).size];
  fs.unlinkSync(`${folder}/shared`);
  return [told.map(([written]) => written), sizes];
}

// As a stream does it: one write follows when the last is over, and meanwhile somebody closes, twice.
async function streamed(folder) {
  const shared = await promisify(fs.open)(`${folder}/streamed`, "a");
  const large = Buffer.alloc(1 << 18, "z");
  const second = new Promise((resolve) => {
    fs.write(shared, large, 0, large.length, null, () => {
      fs.write(shared, large, 0, large.length, null, (error, written) => resolve(error?.code ?? written));
    });
  });
  let refused;
  try {
    fs.write(shared, large, -1, 3, null, () => {});
  } catch (error) {
    refused = error.code;
  }
  const closes = Promise.all([outcome(fs.close, shared), outcome(fs.close, shared)]);
  const next = closes.then(() => promisify(fs.open)(`${folder}/next`, "w"));
  const told = [await second, refused, await closes];
  await promisify(fs.close)(await next);
  const size = fs.statSync(`${folder}/streamed`).size;
  fs.unlinkSync(`${folder}/streamed`);
  return [...told, size, fs.statSync(`${folder}/next`).size];
}

(async () => {
  fs.mkdirSync("anew");
  fs.mkdirSync("at-once");
  const anew = await all("anew");
  require(DISK);
  const atOnce = await all("at-once");
  const turns = [];
  for (let turn = 0; turn < 50; turn += 1) {
    turns.push(await hurried("at-once"));
  }
  const streams = [];
  for (let turn = 0; turn < 50; turn += 1) {
    streams.push(await streamed("at-once"));
  }
  console.log(JSON.stringify([anew, atOnce, early, turns, streams]));
})();
"""


@pytest.mark.timeout(60)
def test_calls_at_once_end_as_the_others_do_and_not_before_they_were_made(tmp_path: Path) -> None:
    azurite = install.ensure_azurite()
    program = tmp_path / "ask.cjs"
    program.write_text(f"const DISK = {json.dumps(str(DISK))};" + ASKED)
    told = subprocess.run([azurite.node, program], cwd=tmp_path, capture_output=True, check=True, timeout=50)
    anew, at_once, early, turns, streams = json.loads(told.stdout)
    assert at_once == anew
    assert ["ENOENT", "open"] in anew
    assert ["EBADF", "read"] in anew
    assert not early
    assert all(turn == [[1 << 20, 3, 2], [(1 << 20) + 5, 0]] for turn in turns), turns
    size = 1 << 18
    closes = [[], ["EBADF", "close"]]
    assert all(stream == [size, "ERR_OUT_OF_RANGE", closes, 2 * size, 0] for stream in streams), streams
