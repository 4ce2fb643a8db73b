"""The words of a text, against the tutorial's algorithm in its plainest form."""

from __future__ import annotations

import string
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from node_task import topwords

# Every kind of white space that str.split knows, punctuation of both kinds, letters that fold oddly.
TEXTS = st.text(
    st.sampled_from(
        " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u3000.,;:'\"-_!?()aAbBßẞİıſσςΣ“”—é\udcff\0"
    )
    | st.characters()
)


def tutorial(text: str) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for word in text.split():
        bare = word.strip(string.punctuation)
        if bare:
            counts[bare] = counts.get(bare, 0) + 1
    first = {word: place for place, word in enumerate(counts)}
    return sorted(counts.items(), key=lambda item: (-item[1], first[item[0]]))


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, list[str]]:
    text = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    bounds = [0, *cuts, len(text)]
    return text, [text[start:end] for start, end in pairwise(bounds)]


@given(TEXTS, st.integers(1, 10))
def test_the_top_words_are_those_of_the_tutorial(text: str, number: int) -> None:
    assert topwords.top(topwords.count([text]), number) == tutorial(text)[:number]


@given(cut_texts())
def test_words_do_not_depend_on_where_the_text_is_cut(case: tuple[str, list[str]]) -> None:
    text, pieces = case
    assert list(topwords.words(pieces)) == text.split()


@given(TEXTS)
def test_words_survive_a_text_that_comes_letter_by_letter(text: str) -> None:
    assert list(topwords.words(text)) == text.split()


@given(cut_texts())
def test_counts_and_their_order_do_not_depend_on_where_the_text_is_cut(case: tuple[str, list[str]]) -> None:
    text, pieces = case
    assert list(topwords.count(pieces).items()) == list(topwords.count([text]).items())


@given(TEXTS)
def test_casefolded_counts_are_those_of_the_folded_words(text: str) -> None:
    folded = " ".join(word.strip(string.punctuation).casefold() for word in text.split())
    assert list(topwords.count([text], casefold=True).items()) == list(topwords.count([folded]).items())


def test_case_is_kept_unless_folding_is_asked_for() -> None:
    text = "Straße STRASSE straße"
    assert topwords.count([text]) == {"Straße": 1, "STRASSE": 1, "straße": 1}
    assert topwords.count([text], casefold=True) == {"strasse": 3}


def test_punctuation_is_stripped_at_both_ends_and_kept_inside() -> None:
    assert list(topwords.words(["(don't) 'tis -well-known- a_b_"])) == [
        "(don't)",
        "'tis",
        "-well-known-",
        "a_b_",
    ]
    assert list(topwords.count(["(don't) 'tis -well-known- a_b_"])) == ["don't", "tis", "well-known", "a_b"]


def test_punctuation_beyond_ascii_is_part_of_a_word() -> None:
    assert list(topwords.count(["“word” — word"])) == ["“word”", "—", "word"]


def test_words_of_nothing_but_punctuation_do_not_count() -> None:
    assert topwords.count(["-- ... a !"]) == {"a": 1}


def test_ties_are_in_order_of_first_appearance() -> None:
    assert topwords.top(topwords.count(["z y x x y z w"]), 3) == [("z", 2), ("y", 2), ("x", 2)]


def test_a_text_with_fewer_words_than_asked_for_gives_all_it_has() -> None:
    assert topwords.top(topwords.count(["one"]), 5) == [("one", 1)]


def test_a_word_that_runs_through_thousands_of_pieces_is_one_word() -> None:
    assert list(topwords.words(["ab"] * 50_000 + [" c"])) == ["ab" * 50_000, "c"]
