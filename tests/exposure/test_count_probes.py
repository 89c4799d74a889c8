"""What the probes that count and sample say of servers with a known truth, and of hostile ones."""

import asyncio
import contextlib
import json
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web_fakes import Asked, Reply, WebFake, fact, json_reply, listening, site_at

from leadglass.app.lab.fake_scp import Behaviour, factory
from leadglass.app.lab.holdings import CANARY, Holdings, made_up
from leadglass.exposure.counting.by_qido import by_qido
from leadglass.exposure.counting.windows import Window
from leadglass.exposure.facts import Answer, Fact, Facts
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.probes import count, kinds
from leadglass.exposure.upper_layer import Ended

ROOT = "/dicom-web"


def entry(number: int, *, words: int = 0, images: bool = True) -> dict[str, object]:
    """A study as QIDO-RS tells it."""
    values: dict[str, list[object]] = {
        "0020000D": [f"2.25.{number}"],
        "00080020": [f"{2010 + number % 10}{1 + number // 10 % 12:02}{1 + number // 120 % 28:02}"],
        "00080030": [f"{number % 24:02}{number // 24 % 60:02}00"],
        "00080061": ["CT", CANARY],
        "00081030": [CANARY + "x" * words],
        **({"00201206": [2], "00201208": [10]} if images else {}),
    }
    return {tag: {"vr": "LO", "Value": value} for tag, value in values.items()}


class Qido:
    """Answers searches as told. `page`: silently no more than so many; `no_offset`: the first page again and again."""

    def __init__(self, entries, *, page=10**9, no_offset=False):
        self.entries, self.page, self.no_offset = entries, page, no_offset
        self.asked = 0

    def __call__(self, asked: Asked) -> Reply:
        self.asked += 1
        keys = dict(parse_qsl(asked.path.partition("?")[2]))
        found = [item for item in self.entries if self.within(item, keys)]
        offset = 0 if self.no_offset else int(keys["offset"])
        found = found[offset : offset + min(int(keys["limit"]), self.page)]
        return json_reply(json.dumps(found), "application/dicom+json") if found else Reply(204)

    def within(self, item, keys):
        def inside(asked, value):
            first, dash, last = asked.partition("-")
            return not asked or first <= value <= (last or ("9" if dash else first))

        date, time = (item[tag]["Value"][0] for tag in ("00080020", "00080030"))
        return inside(keys.get("StudyDate", ""), date) and inside(keys.get("StudyTime", ""), time)


async def counted(studies, known=(), **settings) -> Facts:
    async with listening(WebFake({f"{ROOT}/studies": studies}).serve, **settings) as site:
        site.facts.add([Fact("W00", Answer.YES, "", {"tls": False}), Fact("W01", Answer.YES, "", {"roots": (ROOT,)})])
        site.facts.add(known)
        facts = Facts()
        facts.add(await count.PROBE.run(site))
        assert CANARY not in repr(list(facts))
        return facts


def statistics(**numbers) -> list[Fact]:
    return [Fact("W04", Answer.YES, "", numbers)]


# --- QIDO-RS


async def test_an_archive_larger_than_one_probe_may_read_is_counted_exactly_by_qido():
    facts = await counted(Qido([entry(number, words=1500) for number in range(6000)]))
    assert (facts.value("P01", "studies"), facts.value("P01", "instances")) == (6000, 60_000)
    assert facts.value("P01", "reasons") == ()
    assert facts.value("P01", "exactness") == "exact"
    assert facts.value("P02", "modalities") == ("CT", "other")


async def test_answers_longer_than_a_body_is_kept_are_asked_for_in_smaller_pages():
    facts = await counted(Qido([entry(number, words=20_000) for number in range(300)]))
    assert (facts.value("P01", "studies"), facts.value("P01", "exactness")) == (300, "exact")


async def test_a_page_that_is_silently_shorter_is_at_least_and_near():
    facts = await counted(Qido([entry(number) for number in range(3000)], page=100))
    assert (facts.value("P01", "studies"), facts.value("P01", "exactness")) == (3000, "at-least")


async def test_a_server_that_knows_no_offset_is_not_asked_for_ever():
    studies = Qido([entry(number) for number in range(3000)], no_offset=True)
    facts = await counted(studies)
    assert facts.value("P01", "exactness") == "at-least"
    assert facts.value("P01", "studies") == 3000
    assert studies.asked < 200


async def test_a_product_that_tells_other_numbers_is_not_agreed_with():
    studies = Qido([entry(number) for number in range(20)])
    assert (await counted(studies, statistics(studies=20, instances=200))).value("P01", "exactness") == "exact"
    facts = await counted(studies, statistics(studies=20, instances=900))
    assert (facts.value("P01", "instances"), facts.value("P01", "exactness")) == (900, "at-least")


async def test_images_that_nobody_told_of_are_not_called_none():
    facts = await counted(Qido([entry(number, images=False) for number in range(20)]))
    assert facts.value("P01", "studies") == 20
    assert facts.value("P01", "instances") is None
    assert facts.value("P01", "exactness") == "at-least"


@pytest.mark.parametrize(
    "reply",
    [Reply(500), Reply(200, b"<html>"), json_reply('{"a": 1}'), json_reply("[7]"), json_reply("[" * 100_000)],
    ids=["error", "page", "object", "numbers", "depth"],
)
async def test_what_is_no_answer_ends_the_count_and_says_so(reply):
    facts = await counted(lambda asked: reply)
    assert facts.value("P01", "exactness") == "at-least"
    assert facts.value("P01", "reasons")


class _Told:
    """Answers everything with the same."""

    def __init__(self, told):
        self.answer = HttpAnswer(200, {}, json.dumps(told).encode(), truncated=False)

    async def ask(self, path, *, method="GET", headers=None):
        return self.answer


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
tags = st.sampled_from(["0020000D", "00080020", "00080030", "00080061", "00201206", "00201208", "00100020"])
hostile = st.dictionaries(tags, anything | st.fixed_dictionaries({"Value": st.lists(anything, max_size=3)}))


@settings(max_examples=300, deadline=None)
@given(st.lists(hostile | anything, max_size=4))
async def test_whatever_json_is_told_is_rows_or_no_answer(told):
    ask = by_qido(_Told(told), ROOT, b"s" * 32, patients=True)
    with contextlib.suppress(Ended):
        answers = await ask(Window(), 100)
        assert len(answers.rows) == len(told)
        assert all(row.series is None or 0 <= row.series < 10**9 for row in answers.rows)


# --- kinds of personal data


@contextlib.asynccontextmanager
async def archive(behaviour: Behaviour, sample: int):
    server = await asyncio.get_running_loop().create_server(factory(behaviour), "127.0.0.1", 0)
    site = site_at(server.sockets[0].getsockname()[1])
    site.facts.add([Fact("D01", Answer.YES, "", {"tls": False}), Fact("D08", Answer.YES)])
    try:
        yield replace(site, scope=replace(site.scope, sample=sample))
    finally:
        server.close()


async def sampled(behaviour: Behaviour, sample: int = 5) -> Fact:
    async with archive(behaviour, sample) as site:
        facts = Facts()
        facts.add(await kinds.PROBE.run(site))
        assert CANARY not in repr(list(facts))
        return fact(facts, "P03")


async def test_kinds_are_told_by_number_and_no_more_answers_are_looked_at_than_allowed():
    found = await sampled(Behaviour(holdings=Holdings(made_up(40))))
    assert found.answer is Answer.YES
    assert found.values["sampled"] == 5
    assert {"name", "birth-date", "patient-id"} <= set(found.values["kinds"])
    assert set(found.values["present"]) == {5}


async def test_nothing_is_sampled_that_the_scope_does_not_allow():
    assert (await sampled(Behaviour(holdings=Holdings(made_up(40))), sample=0)).answer is Answer.SKIPPED


@pytest.mark.parametrize("behaviour", [Behaviour(aborts_queries=True), Behaviour(offers=frozenset())])
async def test_a_peer_that_breaks_off_the_sample_is_not_known_and_ends_no_audit(behaviour):
    assert (await sampled(behaviour)).answer is Answer.UNKNOWN
