"""The first input of each content is found again, however the bytes lie."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stages.first_seen import KEY_BYTES, FirstSeen

# Few different bytes: keys that overlap each other, and the indexes between them, all in one bucket.
CONTENTS = st.lists(
    st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES).map(lambda key: bytes(byte % 2 for byte in key)),
    max_size=60,
)


@given(CONTENTS, st.integers(0, 2**32 - 100))
def test_it_finds_what_a_dictionary_finds(keys: list[bytes], start: int) -> None:
    seen, expected = FirstSeen(), dict[bytes, int]()
    for number, key in enumerate(keys):
        content = b"\0\0" + key + bytes(14)
        index = start + number if number % 2 else number
        assert seen.put(content, index) == expected.setdefault(key, index)
    for key, index in expected.items():
        assert seen.put(b"\0\0" + key + bytes(14), 7) == index


def test_a_key_across_two_records_is_none() -> None:
    seen = FirstSeen()
    one, two = bytes(range(16)), bytes(range(100, 116))
    seen.put(b"\0\0" + one, 0x10111213)
    seen.put(b"\0\0" + two, 1)
    across = one[4:] + (0x10111213).to_bytes(4)
    assert seen.put(b"\0\0" + across, 2) == 2
    assert seen.put(b"\0\0" + across, 3) == 2


def test_ten_thousand_contents_are_told_apart() -> None:
    seen = FirstSeen()
    contents = [hashlib.sha256(str(number).encode()).digest() for number in range(10_000)]
    assert [seen.put(content, index) for index, content in enumerate(contents)] == list(range(10_000))
    assert [seen.put(content, 0) for content in contents] == list(range(10_000))
