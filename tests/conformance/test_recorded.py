"""Replays what the real service was recorded to answer: status, headers, members, defaults, error codes.

`recorded_expectations.json` holds the expectations, distilled from recordings of the real service (2023 to
2026), as stories: requests in order, most of them with what was recorded for such a request. A member's value
is written where it is the service's own choice, else only its kind. `known_differences.toml` lists what
differs, each with its reason; a difference that is gone fails, so that the list stays short.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.clients import Answer, RawClient, until

HERE = Path(__file__).parent
STORIES: dict[str, list[dict[str, Any]]] = json.loads((HERE / "recorded_expectations.json").read_text())
KNOWN: list[dict[str, Any]] = tomllib.loads((HERE / "known_differences.toml").read_text())["difference"]
KINDS = {"text": str, "boolean": bool, "number": int}


@pytest.mark.parametrize("story", STORIES)
async def test_the_service_answers_as_recorded(raw: RawClient, story: str) -> None:
    found: list[str] = []
    node = ""
    for step in STORIES[story]:
        answer = await _send(raw, step, node)
        if step["path"].endswith("/nodes") and answer.json()["value"]:
            node = answer.json()["value"][0]["id"]
        if "expect" in step:
            found += [f"{step['recorded']}: {one}" for one in _differences(step["expect"], answer)]
        else:
            assert answer.status < 400, answer.body
    known = [one["is"] for one in KNOWN if one["story"] == story]
    assert sorted(found) == sorted(known)


def test_every_known_difference_has_a_story_and_a_reason() -> None:
    assert all(one["story"] in STORIES and one["reason"] for one in KNOWN)


async def _send(raw: RawClient, step: dict[str, Any], node: str) -> Answer:
    body = step.get("body")
    if body is not None:
        body = json.loads(json.dumps(body).replace("{node}", node))
    path = step["path"].replace("{node}", node)

    async def send() -> Answer:
        return await raw.send(
            step["method"], path, body, query=step.get("query", ""), version=step["version"]
        )

    wanted = step.get("until")
    if wanted is None:
        return await send()
    return await until(send, lambda answer: all(_at(answer, name) == value for name, value in wanted.items()))


def _at(answer: Answer, name: str) -> Any:
    value = answer.json()
    for part in name.split("."):
        value = value[int(part)] if part.isdigit() and value else (value or {}).get(part)
    return value


def _differences(expected: dict[str, Any], answer: Answer) -> list[str]:
    found = []
    if answer.status != expected["status"]:
        found.append(f"status {answer.status}, not {expected['status']}: {answer.body!r}")
    names = {name.lower() for name in answer.headers} - {"date"}
    found += [f"no header {name}" for name in sorted(set(expected["headers"]) - names)]
    found += [f"header {name}" for name in sorted(names - set(expected["headers"]))]
    if "error" in expected:
        body = answer.json()
        error = {
            "code": body["code"],
            "message": body["message"]["value"].split("\n")[0],
            "values": [one["key"] for one in body.get("values", [])],
        }
        found += [
            f"{name} {error[name]}" for name, value in expected["error"].items() if error[name] != value
        ]
    elif "body" in expected:
        body = answer.json()
        body["odata.metadata"] = body["odata.metadata"].partition("#")[2]
        found += _compare(expected["body"], body, "body")
    return found


def _compare(expected: Any, seen: Any, place: str) -> list[str]:
    if isinstance(expected, dict):
        if not isinstance(seen, dict):
            return [f"{place} is no object"]
        found = [f"no {place}.{name}" for name in expected if name not in seen]
        found += [f"{place}.{name}" for name in seen if name not in expected]
        shared = [name for name in expected if name in seen]
        if shared != [name for name in seen if name in expected]:
            found.append(f"order of {place}")
        return found + [
            one for name in shared for one in _compare(expected[name], seen[name], f"{place}.{name}")
        ]
    if isinstance(expected, list):
        return _compare_lists(expected, seen, place)
    if expected in KINDS:
        return [] if type(seen) is KINDS[expected] else [f"{place} is {type(seen).__name__}"]
    return [] if expected == seen else [f"{place} is {seen!r}, not {expected!r}"]


def _compare_lists(expected: list[Any], seen: Any, place: str) -> list[str]:
    if not isinstance(seen, list) or bool(seen) != bool(expected):
        return [f"{place} is {seen!r}"]
    if not expected:
        return []
    # Elements of different kinds stand side by side: each must be like one that was recorded.
    closest = [min((_compare(one, item, f"{place}[]") for one in expected), key=len) for item in seen]
    return sorted({one for item in closest for one in item})
