"""Attribute matching of PS3.4 C.2.2.2: one predicate per matching key, made once per query.

Universal keys give None. Where a key has several values any may match; an attribute with several values matches by any
of them. An empty attribute matches universal keys only, and a pattern of nothing but stars is universal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from leadglass.core.attributes import Attribute, AttributeSet, Value
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_UID_LIST
from leadglass.dicom.dictionary import vr_of
from leadglass.dicom.names import name_groups, name_words
from leadglass.index import moments
from leadglass.index.text import compile_name, compile_pattern, has_wildcard

Predicate: TypeAlias = Callable[["Attribute | None"], bool]
TextTest: TypeAlias = Callable[[str], bool]
Interval: TypeAlias = moments.Interval
Parser: TypeAlias = Callable[[str], "Interval | None"]

_WILDCARD_VRS = frozenset({"AE", "AS", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT", "UN"})
_NUMBER_VRS = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})


def texts(key: Attribute | None) -> tuple[str, ...]:
    """The text values of a key without outer blanks and without empty ones."""
    if key is None:
        return ()
    found = (value.strip(" \0") for value in key.values if isinstance(value, str))
    return tuple(value for value in found if value)


def is_universal(key: Attribute) -> bool:
    """Whether every entity matches (C.2.2.2.3): no value, or nothing but stars."""
    if not key.values:  # what is only asked for, as most keys are
        return True
    if any(not isinstance(value, str | bytes) for value in key.values):
        return False
    if any(isinstance(value, bytes) and value for value in key.values):
        return False
    given = texts(key)
    return not given or any(not value.strip("*") for value in given)


def compile_key(tag: int, key: Attribute, timezone: str = "", *, fuzzy: bool = False) -> Predicate | None:
    """The predicate of one key, or None if it is universal. INVALID_QUERY if a list of UIDs is too long.

    With `fuzzy` names match by the beginnings of their words (core.query.Query).
    """
    if not key.values:
        return None
    vr = vr_of(tag)
    items = [value for value in key.values if not isinstance(value, str | bytes)]
    if items or vr == "SQ":
        return _compile_sequence(items, timezone, fuzzy=fuzzy)
    if is_universal(key):
        return None
    given = texts(key)
    if vr == "UI":
        if len(given) > MAX_UID_LIST:
            raise LeadglassError(ErrorCode.INVALID_QUERY, "Too many UIDs in one key.", tags=(tag,))
        return _any_text(frozenset(given).__contains__)
    if vr == "PN":
        return _compile_words(given) if fuzzy else _compile_names(given)
    tests = [_compile_text(vr, value, timezone) for value in given]
    return _any_text(tests[0] if len(tests) == 1 else lambda text: any(test(text) for test in tests))


def kinds_of_matching(vr: str) -> tuple[str, ...]:
    """How keys of `vr` are matched here (PS3.4 C.2.2.2), beside universal matching: for the conformance statement."""
    if vr == "SQ":
        return ("sequence",)
    if vr == "UI":
        return ("single value", "list of UIDs")
    if _parser(vr, "") is not None:
        return ("single value", "range")
    if vr == "PN" or vr in _WILDCARD_VRS:
        return ("single value", "wildcard")
    return ("single value",)


def _any_text(test: TextTest) -> Predicate:
    def predicate(attribute: Attribute | None) -> bool:
        if attribute is None:
            return False
        for value in attribute.values:
            if isinstance(value, str):
                text = value.strip(" \0")
                if text and test(text):
                    return True
        return False

    return predicate


def _compile_names(given: Sequence[str]) -> Predicate:
    tests = [compile_name(value) for value in given]

    def test(text: str) -> bool:
        groups = name_groups(text)
        return any(fits(groups) for fits in tests)

    return _any_text(test)


def _compile_words(given: Sequence[str]) -> Predicate:
    wanted = [name_words(value) for value in given]

    def test(text: str) -> bool:
        words = name_words(text)
        return any(all(any(word.startswith(one) for word in words) for one in asked) for asked in wanted)

    return _any_text(test)


def _compile_text(vr: str, value: str, timezone: str) -> TextTest:
    parser = _parser(vr, timezone)
    if parser is not None:
        return _compile_moment(vr, value, parser)
    if vr in _NUMBER_VRS:
        return _compile_number(value)
    if vr in _WILDCARD_VRS and has_wildcard(value):
        return compile_pattern(value)
    return value.__eq__


def _compile_number(value: str) -> TextTest:
    wanted = _number(value)
    return value.__eq__ if wanted is None else lambda text: _number(text) == wanted


def _number(text: str) -> float | int | None:
    try:
        return int(text) if len(text) <= 20 else float(text[:64])  # what no VR of numbers is longer than
    except ValueError:
        try:
            return float(text[:64])
        except ValueError:
            return None


# --- dates and times (C.2.2.2.5) ---------------------------------------------------------------------------------


def _parser(vr: str, timezone: str) -> Parser | None:
    if vr == "DA":
        return moments.date
    if vr == "TM":
        return moments.time
    if vr == "DT":
        minutes = moments.offset_minutes(timezone) or 0
        return lambda text: moments.date_time(text, minutes)
    return None


def split_range(vr: str, value: str) -> tuple[str, str] | None:
    """The two ends of a range, either of them empty where it is open; None if `value` is a single value.

    In a DT a hyphen may begin an offset from UTC: four digits of at most 1400 at the end of an otherwise readable value
    are one (PS3.5 table 6.2-1: a year below 1400 is not expected).
    """
    if vr == "DT" and moments.date_time(value) is not None:
        return None
    places = [place for place, character in enumerate(value) if character == "-"]
    for place in places:
        low, high = value[:place].strip(), value[place + 1 :].strip()
        if vr != "DT":
            return low, high
        if all(not end or moments.date_time(end) is not None for end in (low, high)):
            return low, high
    return None


def interval_of(vr: str, value: str, parser: Parser) -> tuple[str | None, str | None] | None:
    """First and last moment that a key's value lets through, None for an open end; None if it is unreadable."""
    ends = split_range(vr, value)
    if ends is None:
        return parser(value)
    low, high = (parser(end) if end else None for end in ends)
    if (ends[0] and low is None) or (ends[1] and high is None):
        return None
    return (low[0] if low else None), (high[1] if high else None)


def _compile_moment(vr: str, value: str, parser: Parser) -> TextTest:
    wanted = interval_of(vr, value, parser)
    if wanted is None:
        return value.__eq__
    low, high = wanted

    def test(text: str) -> bool:
        found = parser(text)
        if found is None:
            return False
        return (low is None or found[0] >= low) and (high is None or found[0] <= high)

    return test


def compile_date_time(date: Attribute, time: Attribute) -> Callable[[Attribute | None, Attribute | None], bool] | None:
    """One range over a date and its time together (PS3.4 C.2.2.2.5.1 as negotiated); None if the keys are no range."""
    dates, times = texts(date), texts(time)
    if len(dates) != 1 or len(times) != 1 or split_range("DA", dates[0]) is None or split_range("TM", times[0]) is None:
        return None
    days = interval_of("DA", dates[0], moments.date)
    clocks = interval_of("TM", times[0], moments.time)
    if days is None or clocks is None:
        return None
    low = days[0] and days[0] + (clocks[0] or "0" * 12)
    high = days[1] and days[1] + (clocks[1] or "235959999999")

    def predicate(found_date: Attribute | None, found_time: Attribute | None) -> bool:
        for day_text in texts(found_date):
            day = moments.date(day_text)
            clock = moments.time((texts(found_time) or ("",))[0])
            if day is None:
                continue
            moment = day[0] + (clock[0] if clock else "0" * 12)
            if (low is None or moment >= low) and (high is None or moment <= high):
                return True
        return False

    return predicate


# --- sequences (C.2.2.2.6) ---------------------------------------------------------------------------------------


def _compile_sequence(items: Sequence[AttributeSet], timezone: str, *, fuzzy: bool) -> Predicate | None:
    if not items:
        return None
    inner = [(tag, compile_key(tag, key, timezone, fuzzy=fuzzy)) for tag, key in items[0].items()]
    tests = [(tag, predicate) for tag, predicate in inner if predicate is not None]
    if not tests:
        return None

    def matches(item: Value) -> bool:
        if isinstance(item, str | bytes):
            return False
        return all(predicate(item.get(tag)) for tag, predicate in tests)

    return lambda attribute: attribute is not None and any(matches(item) for item in attribute.values)


def project(key: Attribute, found: Attribute) -> Attribute:
    """`found` as the request's item asks for it: all items, of each the attributes that were asked for."""
    if not key.values:
        return found
    items = [value for value in key.values if not isinstance(value, str | bytes)]
    if not items or not items[0]:
        return found
    wanted = sorted(items[0].items())
    projected = []
    for value in found.values:
        if not isinstance(value, str | bytes):
            projected.append(
                {tag: project(inner, value.get(tag, Attribute(vr_of(tag)))) for tag, inner in wanted if tag & 0xFFFF}
            )
    return Attribute(found.vr, tuple(projected))
