"""A count is exact, or it says "at least": against model archives that cap, hide, repeat and ignore as real ones do."""

import datetime as dt
import random
from dataclasses import dataclass

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leadglass.exposure.counting import count as counting
from leadglass.exposure.counting.count import count
from leadglass.exposure.counting.rows import Answers, Row, date_of, hashed, modality_of, number_of, seconds_of
from leadglass.exposure.counting.windows import MODALITIES, Window, around
from leadglass.exposure.streams import Reason, Unreachable


@dataclass
class Archive:
    """Answers like a server. `limit`: silently no more than so many. `ignores`: what of dates and times it ignores.

    `deaf`: it answers nothing to a question without a range.
    """

    rows: list[Row]
    limit: int = 10**9
    ignores_dates: bool = False
    ignores_times: bool = False
    repeats: bool = False
    deaf: bool = False
    asked: int = 0

    async def __call__(self, window: Window, cap: int) -> Answers:
        self.asked += 1
        if self.deaf and window.everything:
            return Answers((), whole=True)
        found = [row for row in self.rows if self.matches(row, window)]
        if self.repeats:
            found += found[:3]
        found = found[: self.limit]
        return Answers(tuple(found[:cap]), whole=len(found) < cap)

    def matches(self, row: Row, window: Window) -> bool:
        if window.modality and window.modality not in row.modalities:
            return False
        if self.ignores_dates:
            return True
        loose = Window(window.first, window.last) if self.ignores_times else window
        return loose.holds(row.date, row.seconds)


def study(number: int, date=dt.date(2020, 5, 17), seconds=3600, modality="CT", **more) -> Row:
    return Row(number.to_bytes(8), date, seconds, (modality,), 2, 10, **more)


def daily(count: int) -> list[Row]:
    """One study a day."""
    return [study(number, dt.date(2020, 1, 1) + dt.timedelta(days=number)) for number in range(count)]


def hundred_thousand(days=3000) -> list[Row]:
    dice = random.Random(7)
    start = dt.date(2012, 1, 1)
    return [
        study(number, start + dt.timedelta(days=dice.randrange(days)), dice.randrange(86400))
        for number in range(100_000)
    ]


async def test_a_hundred_thousand_studies_a_thousand_at_a_time_are_counted_exactly():
    archive = Archive(hundred_thousand())
    found = await count(archive, cap=1000)
    assert (len(found.tally.studies), found.reasons) == (100_000, [])
    assert found.tally.instances == 1_000_000
    assert found.tally.series == 200_000
    assert archive.asked < 600


@pytest.mark.parametrize(
    "archive",
    [
        Archive([*hundred_thousand(), *(study(10**6 + number, None, None) for number in range(40))]),
        Archive(hundred_thousand(), limit=500),
        Archive(hundred_thousand(), ignores_dates=True),
        Archive([study(number) for number in range(5000)]),
        Archive([study(number) for number in range(250)], limit=100),
        Archive([study(number, None, None) for number in range(250)], limit=100),
        Archive([study(number, seconds=None) for number in range(250)], limit=100),
        Archive(hundred_thousand(5), ignores_times=True),
        Archive(daily(50), limit=1),
        Archive(daily(50), deaf=True),
        Archive([study(number, seconds=3600 + number % 2) for number in range(5)], limit=1),
        Archive([study(number, modality="CT" if number % 2 else "PLAN") for number in range(7)], limit=4),
        Archive([Row(b"", row.date, row.seconds) for row in daily(50)]),
    ],
    ids=[
        "undated",
        "silent limit",
        "ranges ignored",
        "one second",
        "limit",
        "limit undated",
        "no times",
        "times ignored",
        "limit one",
        "deaf without a range",
        "limit one in a day",
        "modality not asked for",
        "studies not named",
    ],
)
async def test_what_cannot_be_proven_is_at_least_and_says_why(archive):
    found = await count(archive)
    assert found.reasons
    assert len(found.tally.studies) <= len(archive.rows)


@pytest.mark.parametrize(
    "archive",
    [
        Archive(hundred_thousand(), limit=500),
        Archive(hundred_thousand(), limit=1000),
        Archive(hundred_thousand(), ignores_dates=True),
        Archive(daily(50), deaf=True),
    ],
    ids=["silent limit", "limit of the cap", "ranges ignored", "deaf without a range"],
)
async def test_at_least_is_not_far_from_what_there_is(archive):
    found = await count(archive)
    assert found.reasons
    assert len(found.tally.studies) == len(archive.rows)


@pytest.mark.parametrize("other_day", [True, False])
async def test_studies_without_a_time_do_not_hide_behind_a_limit_that_is_the_number_of_the_others(other_day):
    day = dt.date(2020, 1, 1)
    timed = [study(number, day, seconds) for number, seconds in enumerate((0, 43200, 86399))]
    rows = [*timed, *[study(9, dt.date(2021, 1, 1))][:other_day], study(5, day, None), study(6, day, None)]
    found = await count(Archive(rows, limit=len(rows) - 2), cap=2)
    assert found.reasons
    assert len(found.tally.studies) < len(rows) or counting.UNDATED in found.reasons


async def test_a_full_day_among_others_is_counted_exactly():
    rows = [*daily(10), *(study(100 + number, seconds=number * 60) for number in range(900))]
    found = await count(Archive(rows), cap=100)
    assert (len(found.tally.studies), found.reasons) == (910, [])


async def test_one_study_costs_few_questions():
    archive = Archive([study(1)])
    assert (await count(archive)).exact
    assert archive.asked <= 5


async def test_small_archives_are_exact():
    for rows in (
        [],
        [study(1)],
        [study(1), study(2, dt.date(2021, 1, 1))],
        [study(n, seconds=n * 60) for n in range(30)],
    ):
        found = await count(Archive(rows))
        assert (len(found.tally.studies), found.reasons) == (len(rows), [])


async def test_the_products_own_count_has_to_agree_and_can_stand_for_the_undated():
    rows = [study(number, dt.date(2020, 1, 1) + dt.timedelta(days=number)) for number in range(2000)]
    assert (await count(Archive(rows), product_count=2000)).exact
    assert not (await count(Archive(rows), product_count=2001)).exact


async def test_an_answer_that_repeats_studies_is_counted_once():
    rows = [study(number, dt.date(2020, 1, 1) + dt.timedelta(days=number)) for number in range(20)]
    found = await count(Archive(rows, repeats=True))
    assert len(found.tally.studies) == 20


async def test_a_connection_that_ends_leaves_what_was_counted_and_the_kill_switch_goes_through():
    archive = Archive(hundred_thousand())

    def ending(reason):
        async def ask(window, cap):
            if archive.asked > 20:
                raise Unreachable(reason)
            return await archive(window, cap)

        return ask

    found = await count(ending(Reason.RESET))
    assert found.reasons == [counting.ENDED]
    assert found.tally.studies
    with pytest.raises(Unreachable):
        await count(ending(Reason.STOPPED))


async def test_a_second_count_of_other_studies_does_not_agree():
    day = dt.date(1899, 3, 1)
    rows = [
        study(0, day, 1),
        study(3, day + dt.timedelta(days=1), None),
        study(1, None, None),
        study(4, day, 0),
        study(2, day, None),
    ]
    assert not (await count(Archive(rows, limit=3), cap=2)).exact


rows = st.lists(
    st.builds(
        lambda date, seconds: (date, seconds),
        st.sampled_from(
            [None, *(dt.date(year, 3, day) for year in (1899, 1900, 1901, 2019, 2020, 2101) for day in (1, 2))]
        ),
        st.sampled_from([None, 0, 1, 43199, 43200, 86399]),
    ),
    max_size=60,
)


def cannot_be_told(studies: list[Row], limit: int, *, deaf: bool) -> bool:
    """Whether a limit is the very number of the studies that ranges find, or no question is answered at all."""
    dated = [study for study in studies if study.date is not None]
    one_day = len({study.date for study in dated}) == 1
    timed = [study for study in dated if study.seconds is not None]
    one_second = one_day and len({study.seconds for study in timed}) == 1
    by_number = limit == len(dated) or (one_day and limit == len(timed)) or (one_second and limit == 1)
    return by_number or (deaf and not dated)


@settings(max_examples=1000, deadline=None)
@given(
    rows,
    st.sampled_from([1, 2, 3, 5, 10, 16, 20, 10**9]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([2, 4, 8, 16, 1000]),
    st.randoms(use_true_random=False),
)
async def test_no_archive_makes_it_say_exact_and_be_wrong(rows, limit, no_dates, no_times, repeats, deaf, cap, dice):
    kinds = (("CT",), ("MR", "SR"), ("PLAN",), ("other",), ())
    studies = [
        Row(number.to_bytes(8), date, seconds, dice.choice(kinds), 1, 1) for number, (date, seconds) in enumerate(rows)
    ]
    dice.shuffle(studies)
    assume(not cannot_be_told(studies, limit, deaf=deaf))
    found = await count(Archive(studies, limit, no_dates, no_times, repeats, deaf), cap=cap)
    assert len(found.tally.studies) <= len(studies)
    if found.exact:
        assert len(found.tally.studies) == len(studies)


@given(st.dates(dt.date(1800, 1, 1), dt.date(2200, 1, 1)), st.integers(0, 86399))
def test_parts_of_a_window_hold_each_study_once(date, seconds):
    window = Window()
    for _ in range(60):
        parts = window.divided()
        if not parts or parts[0].modality:
            break
        holding = [part for part in parts if part.holds(date, seconds)]
        assert len(holding) == 1
        window = holding[0]
    inside = dt.date(1800, 1, 1) <= date <= dt.date(2100, 1, 1)
    assert window.end - window.begin == 1 or not inside


@given(st.dates(), st.one_of(st.none(), st.integers(0, 86399)), st.dates(), st.integers(0, 86399))
def test_around_a_study_is_everything_but_its_second(date, seconds, other, at):
    parts = around(date, seconds)
    elsewhere = other != date or (seconds is not None and at != seconds)
    assert sum(part.holds(other, at) for part in parts) == (elsewhere or seconds is None)
    assert seconds is None or not any(part.holds(date, seconds) for part in parts)
    assert all(len(part.dates.replace("-", "")) in (8, 16) for part in parts)


def test_windows_are_written_as_the_standard_has_ranges():
    day = dt.date(2024, 2, 29)
    assert Window(day, day).dates == "20240229"
    assert Window(day, day, 0, 43200).times == "000000-115959.999999"
    assert Window(last=day).dates == "-20240229"
    assert Window(first=day).dates == "20240229-"
    assert Window().dates == Window().times == ""


@given(st.text(max_size=20))
def test_whatever_a_peer_writes_is_a_value_or_none(text):
    date_of(text)
    number = number_of(text)
    assert number is None or 0 <= number < 10**9
    seconds = seconds_of(text)
    assert seconds is None or 0 <= seconds < 86400
    assert modality_of(text) in {*MODALITIES, "other"} or len(modality_of(text)) <= 16
    nothing = not text.strip(" \0")
    assert (hashed(text, b"a" * 32) == b"") == nothing
    assert nothing or hashed(text, b"a" * 32) != hashed(text, b"b" * 32)
