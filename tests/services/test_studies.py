"""Searching the list of studies, and searches that somebody keeps: one's own, within bounds, and not in the journal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from objects import data_set, encoded, store, study_uid, uid

from leadglass.app.archive import Archive
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import JournalEvent
from leadglass.core.listing import MAX_LIST_OFFSET, MAX_SEARCH_TEXT, StudyOrder, StudySearch
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.services.studies import MAX_SAVED, MAX_TITLE, SavedSearch

ROSSI = Principal(PrincipalKind.PERSON, "rossi", frozenset({Right.FIND}))
BIANCHI = replace(ROSSI, name="bianchi")
WANTED = StudySearch("thorax", name="r", modalities=("CT", "MR"), since="20240101", order=StudyOrder.NAME)


async def test_the_journal_keeps_no_value_of_a_search(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    await store(archive, encoded(data_set(1, PatientName="Rossi^Secretissima")), uid(1, 1))
    events: list[JournalEvent] = []
    monkeypatch.setattr(archive.journal, "record", lambda event, **_: events.append(event))
    page = await archive.studies.search(ROSSI, StudySearch("secretissima", accession=""))
    archive.studies.save(ROSSI, SavedSearch("secretissima", StudySearch("secretissima")))
    assert page.count == 1
    assert events[0].details == {"keys": "text", "answers": 1}
    assert "secretissima" not in repr(events).lower()


async def test_a_study_is_found_by_whom_it_concerns(archive: Archive) -> None:
    await store(archive, encoded(data_set(1)), uid(1, 1))
    nothing = replace(ROSSI, reach=replace(ROSSI.reach, everything=False))
    assert (await archive.studies.search(nothing, StudySearch())).count == 0
    named = replace(ROSSI, reach=replace(ROSSI.reach, everything=False, studies=frozenset({study_uid(1)})))
    assert (await archive.studies.search(named, StudySearch())).count == 1


@pytest.mark.parametrize(
    "search",
    [StudySearch("x" * (MAX_SEARCH_TEXT + 1)), StudySearch(offset=-1), StudySearch(offset=MAX_LIST_OFFSET + 1),
     StudySearch(limit=0), StudySearch(limit=10**9), StudySearch(since="2024"), StudySearch(until="2024010x"),
     StudySearch(modalities=("CT",) * 1000)],
)  # fmt: skip
async def test_what_nobody_can_mean_is_refused(archive: Archive, search: StudySearch) -> None:
    with pytest.raises(LeadglassError) as refused:
        await archive.studies.search(ROSSI, search)
    assert refused.value.code is ErrorCode.INVALID_QUERY


def test_searches_are_kept_for_their_owner_alone(archive: Archive) -> None:
    archive.studies.save(ROSSI, SavedSearch("Thorax", WANTED))
    archive.studies.save(ROSSI, SavedSearch("all", StudySearch()))
    archive.studies.save(ROSSI, SavedSearch("all", StudySearch("other")))
    assert archive.studies.saved(ROSSI) == [SavedSearch("all", StudySearch("other")), SavedSearch("Thorax", WANTED)]
    assert archive.studies.saved(BIANCHI) == []
    archive.studies.forget(BIANCHI, "all")
    archive.studies.forget(ROSSI, "Thorax")
    archive.studies.forget(ROSSI, "Thorax")
    assert [one.title for one in archive.studies.saved(ROSSI)] == ["all"]


def test_searches_are_kept_within_bounds(archive: Archive) -> None:
    for title in ("", "x" * (MAX_TITLE + 1), "a\nb", "\u202e"):
        with pytest.raises(LeadglassError):
            archive.studies.save(ROSSI, SavedSearch(title, StudySearch()))
    for number in range(MAX_SAVED):
        archive.studies.save(ROSSI, SavedSearch(f"{number}", StudySearch()))
    with pytest.raises(LeadglassError):
        archive.studies.save(ROSSI, SavedSearch("one more", StudySearch()))
    archive.studies.save(ROSSI, SavedSearch("7", WANTED))
    assert len(archive.studies.saved(ROSSI)) == MAX_SAVED
