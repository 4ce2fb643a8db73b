"""Types, operators and functions."""

from __future__ import annotations

import pytest

from tests.unit.local.batch.autoscale.pool import BORN, failure, run, value

V = "vec(1, 2, 3)"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 2 * 3 - 4 / 8", "6.5"),
        ("(1 + 2) * 3", "9"),
        ("10 - 4 - 3", "3"),
        ("--2 - -3", "5"),
        ("!0 + !7", "1"),
        ("1 < 2 == 1", "1"),
        ("1 + 1 >= 2 && 3 != 4 || 0", "1"),
        ("0 || 0 && 1", "0"),
        ("5 && 2", "1"),
        ("0 ? 1 : 0 ? 2 : 3", "3"),
        ("1 ? 0 ? 1 : 2 : 3", "2"),
        ("1 > 0 ? 5:1", "5"),
        ("1e3", "1000"),
        ("1000000", "1e+06"),
        ("1 / 3", "0.333333"),
    ],
)
def test_operators_bind_as_in_c(expression: str, result: str) -> None:
    assert value(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        (f"{V} + 1", "[2,3,4]"),
        (f"{V} / 2", "[0.5,1,1.5]"),
        (f"{V} * {V}", "[1,4,9]"),
        (f"{V} - vec(1, {V}) * 0 + 0", None),
        (f"1 + {V}", None),
        (f"-{V}", None),
        (f"{V} == {V}", None),
        ('"a" < "b"', "1"),
        ('"a" + "b"', None),
        ('"1" == 1', None),
        ("2 * TimeInterval_Minute", "PT2M"),
        ("TimeInterval_Hour / 2", "PT30M"),
        ("-TimeInterval_Day", "-P1D"),
        ("TimeInterval_Hour - TimeInterval_Minute * 90", "-PT30M"),
        ("TimeInterval_Hour + TimeInterval_Week", "P7DT1H"),
        ("TimeInterval_Hour / TimeInterval_Minute", None),
        ("TimeInterval_Hour * TimeInterval_Minute", None),
        ("TimeInterval_Hour > TimeInterval_Minute", "1"),
        ("TimeInterval_Zero == 0", None),
        ("TimeInterval_Second == 10000000 * TimeInterval_100ns", "1"),
        ("TimeInterval_Millisecond == 1000 * TimeInterval_Microsecond", "1"),
        ("time() + TimeInterval_Hour > time()", "1"),
        ('TimeInterval_Day + time("2024-02-28")', "2024-02-29T00:00:00.000Z"),
        ("time() - TimeInterval_Hour", None),
        ('time("2024-01-02") - time("2024-01-01")', "P1D"),
        ("!TimeInterval_Hour", None),
    ],
)
def test_operators_take_the_documented_types_only(expression: str, result: str | None) -> None:
    if result is None:
        assert failure(f"answer = {expression}").startswith("Line 1, Col ")
    else:
        assert value(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        (f"avg({V}, 7)", "3.25"),
        (f"len({V}, {V}, 1)", "7"),
        ("len()", "0"),
        ("lg(8)", "3"),
        ("lg(vec(8))", "[3]"),
        ("lg(2, vec(4, 8))", "[1,2,3]"),
        ("ln(1)", "0"),
        ("log(vec(10, 1000))", "[1,3]"),
        (f"max({V}, 0)", "3"),
        (f"min(5, {V})", "1"),
        ("norm(3, 4)", "5"),
        ("percentile(vec(5, 1, 4, 2, 3), 50)", "3"),
        ("percentile(vec(5, 1, 4, 2, 3), 0)", "1"),
        ("percentile(vec(5, 1, 4, 2, 3), 100)", "5"),
        ("range(4, -2, 7)", "9"),
        ("std(2, 4, 4, 4, 5, 5, 7, 9) * std(2, 4, 4, 4, 5, 5, 7, 9)", "4.57143"),
        (f"sum({V}, 4)", "10"),
        (f"val({V}, 2)", "3"),
        ("ceil(0.5) + floor(2.9)", "3"),
        ("round(vec(0.5, 2.4, -1.5))", "[1,2,-2]"),
        ("rand() >= 0 && rand() < 1", "1"),
        ("rand() == rand()", "0"),
    ],
)
def test_functions_compute_what_is_documented(expression: str, result: str) -> None:
    assert value(expression) == result


@pytest.mark.parametrize(
    "expression",
    [
        "avg()",
        "max()",
        "std(1)",
        "range()",
        "ln(0)",
        "log(vec(1, -1))",
        "percentile(vec(), 50)",
        "percentile(vec(1), 101)",
        f"val({V}, 3)",
        f"val({V}, -1)",
        "val(1, 0)",
        'sum("1")',
        "sum(time())",
        "time(1)",
        "rand(1)",
        "nothing(1)",
        "1 / 0",
        "TimeInterval_Day / 0",
        "1e308 * 10",
        "sum(1e308, 1e308)",
        "std(1e308, -1e308)",
        "TimeInterval_Year * 1000000",
        "time() + TimeInterval_Year * 9000",
        '"text" ? 1 : 0',
        "1 && TimeInterval_Day",
        "time().century",
        "time().Hour",
        "5.hour",
        'time("")[0]',
    ],
)
def test_what_can_not_be_computed_is_an_error_with_a_place(expression: str) -> None:
    assert failure(f"answer = {expression}").startswith("Line 1, Col ")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("2024", "2024-01-01T00:00:00.000Z"),
        ("2024-03", "2024-03-01T00:00:00.000Z"),
        ("2024-03-04", "2024-03-04T00:00:00.000Z"),
        ("2024-03-04T05:06Z", "2024-03-04T05:06:00.000Z"),
        ("2024-03-04T05:06:07", "2024-03-04T05:06:07.000Z"),
        ("2024-03-04T05:06:07.1234567+02:30", "2024-03-04T02:36:07.123Z"),
        ("Mon, 04 Mar 2024 05:06:07 GMT", "2024-03-04T05:06:07.000Z"),
        ("", "2024-03-04T10:00:00.000Z"),
        ("2024-03-04T05:06:07.123456789Z", None),
        ("2024-02-30", None),
        ("2024-03-04T24:00Z", None),
        ("0001-01-01T00:00+01:00", None),
        ("0000", None),
        ("yesterday", None),
        ("Mon, 04 März 2024 05:06:07 GMT", None),
    ],
)
def test_time_reads_w3c_and_rfc_1123(text: str, result: str | None) -> None:
    if result is None:
        assert failure(f'answer = time("{text}")').startswith("Line 1, Col 14: ")
    else:
        assert value(f'time("{text}")') == result


def test_a_timestamp_has_parts() -> None:
    names = ("year", "month", "day", "weekday", "hour", "minute", "second")
    parts = [value(f'time("2024-03-10T05:06:07.9Z").{name}') for name in names]
    assert parts == ["2024", "3", "10", "7", "5", "6", "7"]
    assert value("time().weekday", now=BORN) == "1"


def test_variables_of_the_formula_may_be_set_again_and_have_the_names_of_functions() -> None:
    evaluation = run("$round = 3; round = $round; min = 2; $x = min; $x = $x * min(round, 9); TARGET = 1")
    assert evaluation.results.split(";")[3:] == ["$round=3", "$x=6", "TARGET=1", "min=2", "round=3"]


def test_the_option_can_be_read_and_chosen() -> None:
    evaluation = run("$NodeDeallocationOption = 1 > 2 ? requeue : terminate; kept = $NodeDeallocationOption")
    assert evaluation.deallocation_option == "terminate"
    assert evaluation.results.endswith(";kept=terminate")
