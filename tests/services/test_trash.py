"""Deleted studies are hidden everywhere, kept, and come back by command or when their sender sends them again."""

from __future__ import annotations

import pytest
from archives import opened
from objects import data_set, encoded, image, read_back, store, store_one, study_uid, uid, whole_study

from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core.attributes import Attribute
from leadglass.core.device import DuplicatePolicy
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import JournalEvent
from leadglass.core.principal import SYSTEM
from leadglass.core.query import Level, Query, Selection
from leadglass.services.ingest import StoreOutcome

STUDY = 0x0020000D


async def found(archive: Archive) -> list[str]:
    page = await archive.find.find(SYSTEM, Query(Level.STUDY, {STUDY: Attribute("UI")}))
    return sorted(str(match[STUDY].values[0]) for match in page.matches)


async def test_a_trashed_study_is_neither_found_nor_retrieved(archive: Archive) -> None:
    for study in (1, 2):
        await store_one(archive, study)
    assert archive.trash.delete(SYSTEM, whole_study(1), "wrong patient") == [study_uid(1)]
    assert await found(archive) == [study_uid(2)]
    assert await archive.retrieve.select(SYSTEM, whole_study(1)) == []
    assert await archive.retrieve.select(SYSTEM, image(1, 1)) == []
    (entry,) = archive.trash.entries(SYSTEM)
    assert (entry.study_uid, entry.principal, entry.reason) == (study_uid(1), "leadglass", "wrong patient")


async def test_it_comes_back_whole(archive: Archive) -> None:
    sent = {number: await store_one(archive, 1, number) for number in (1, 2, 3)}
    archive.trash.delete(SYSTEM, whole_study(1), "test")
    assert archive.trash.undelete(SYSTEM, [study_uid(1), study_uid(7)]) == [study_uid(1)]
    instances = await archive.retrieve.select(SYSTEM, whole_study(1))
    assert [read_back(archive, item) for item in instances] == list(sent.values())
    assert archive.trash.entries(SYSTEM) == []


async def test_a_selection_below_the_study_trashes_the_study(archive: Archive) -> None:
    for number in (1, 2):
        await store_one(archive, 1, number)
    assert archive.trash.delete(SYSTEM, image(1, 1), "test") == [study_uid(1)]
    assert await found(archive) == []


async def test_a_patient_is_trashed_with_all_studies(archive: Archive) -> None:
    await store_one(archive, 1)
    await store_one(archive, 2, PatientID="P1")
    await store_one(archive, 3)
    trashed = archive.trash.delete(SYSTEM, Selection(Level.PATIENT, patient_id="P1"), "test")
    assert sorted(trashed) == [study_uid(1), study_uid(2)]
    assert await found(archive) == [study_uid(3)]


async def test_the_same_object_sent_again_brings_the_study_back(archive: Archive) -> None:
    data = await store_one(archive)
    await store_one(archive, 1, 2)
    archive.trash.delete(SYSTEM, whole_study(1), "test")
    assert (await store(archive, data, uid(1, 1))).outcome is StoreOutcome.RESTORED
    assert await found(archive) == [study_uid(1)]
    assert len(archive.catalog.versions(uid(1, 1))) == 1
    assert archive.trash.entries(SYSTEM) == []


async def test_an_acknowledged_object_is_never_hidden(archive: Archive) -> None:
    """A further object of a study in the trash is told "stored": then it must be found."""
    await store_one(archive)
    archive.trash.delete(SYSTEM, whole_study(1), "test")
    new = encoded(data_set(1, 2))
    assert (await store(archive, new, uid(1, 2))).outcome is StoreOutcome.STORED
    (stored,) = await archive.retrieve.select(SYSTEM, image(1, 2))
    assert read_back(archive, stored) == new


async def test_a_refused_duplicate_leaves_the_trash_alone(archive: Archive) -> None:
    await store_one(archive)
    archive.trash.delete(SYSTEM, whole_study(1), "test")
    other = encoded(data_set(PatientName="Other"))
    with pytest.raises(LeadglassError) as refused:
        await store(archive, other, uid(1, 1), duplicates=DuplicatePolicy.REFUSE)
    assert refused.value.code is ErrorCode.DUPLICATE_REFUSED
    assert await found(archive) == []


async def test_what_is_not_there_cannot_be_trashed_or_restored(archive: Archive) -> None:
    await store_one(archive)
    for wrong in (
        lambda: archive.trash.delete(SYSTEM, whole_study(5), "test"),
        lambda: archive.trash.undelete(SYSTEM, [study_uid(1)]),
    ):
        with pytest.raises(LeadglassError) as refused:
            wrong()
        assert refused.value.code is ErrorCode.NOT_FOUND


async def test_the_trash_is_truth_and_survives_restart_and_reindex(home: Home) -> None:
    with opened(home) as archive:
        for study in (1, 2):
            await store_one(archive, study)
        archive.trash.delete(SYSTEM, whole_study(1), "test")
    for name in home.catalog.parent.glob("catalog.db*"):
        name.unlink()
    with opened(home) as archive:
        archive.recovery.replay(SYSTEM)
        assert await found(archive) == [study_uid(2)]
        archive.recovery.reindex(SYSTEM)
        assert await found(archive) == [study_uid(2)]
        archive.trash.undelete(SYSTEM, [study_uid(1)])
        assert await found(archive) == [study_uid(1), study_uid(2)]


def stop_journal(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no event becomes durable, as on a full disk."""
    record = archive.journal.record

    def failing(event: JournalEvent, *, durable: bool = False) -> None:
        if durable:
            raise LeadglassError(ErrorCode.UNAVAILABLE, "injected")
        record(event)

    monkeypatch.setattr(archive.journal, "record", failing)


async def test_nothing_is_deleted_or_brought_back_that_cannot_be_journalled(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_one(archive, 1)
    await store_one(archive, 2)
    archive.trash.delete(SYSTEM, whole_study(1), "test")
    stop_journal(archive, monkeypatch)
    for forbidden in (
        lambda: archive.trash.delete(SYSTEM, whole_study(2), "test"),
        lambda: archive.trash.undelete(SYSTEM, [study_uid(1)]),
    ):
        with pytest.raises(LeadglassError) as error:
            forbidden()
        assert error.value.code is ErrorCode.UNAVAILABLE
    assert await found(archive) == [study_uid(2)]
    assert [entry.study_uid for entry in archive.state.trash()] == [study_uid(1)]


async def test_stores_go_on_without_a_journal_into_the_trash_too(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is acknowledged is never hidden, and a store never waits for the journal."""
    data = await store_one(archive, 1)
    archive.trash.delete(SYSTEM, whole_study(1), "test")
    stop_journal(archive, monkeypatch)
    assert (await store(archive, data, uid(1, 1))).outcome is StoreOutcome.RESTORED
    assert await found(archive) == [study_uid(1)]


@pytest.mark.parametrize("undone", [True, False])
async def test_a_stop_between_decision_and_catalog_heals_at_the_next_start(
    home: Home, monkeypatch: pytest.MonkeyPatch, undone: bool
) -> None:
    """The decision is in state, durable; the catalog had not heard of it when the process ended."""

    def dies(*_: object) -> int:
        raise KeyboardInterrupt

    with opened(home) as archive:
        await store_one(archive, 1)
        if undone:
            archive.trash.delete(SYSTEM, whole_study(1), "test")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(archive.catalog, "set_trashed", dies)
            if undone:
                archive.trash.undelete(SYSTEM, [study_uid(1)])
            else:
                archive.trash.delete(SYSTEM, whole_study(1), "test")
    with opened(home) as archive:
        archive.recovery.replay(SYSTEM)
        assert await found(archive) == ([study_uid(1)] if undone else [])


def series(study: int) -> Selection:
    return Selection(Level.SERIES, study_uids=(study_uid(study),), series_uids=(f"{study_uid(study)}.1000",))


async def numbers(archive: Archive, study: int = 1) -> list[str]:
    """What is there of a study: the last parts of its SOP Instance UIDs."""
    selected = await archive.retrieve.select(SYSTEM, whole_study(study))
    return [item.identity.sop_instance_uid.rpartition(".")[2] for item in selected]


async def test_an_instance_goes_by_itself_and_comes_back_as_it_was(archive: Archive) -> None:
    sent = {number: await store_one(archive, 1, number) for number in (1, 2, 3)}
    assert archive.trash.delete_instances(SYSTEM, image(1, 2), "blurred") == 1
    assert await numbers(archive) == ["1", "3"]
    assert await found(archive) == [study_uid(1)]
    assert archive.trash.entries(SYSTEM) == []
    (entry,) = archive.trash.instance_entries(SYSTEM)
    told = (entry.sop_instance_uid, entry.study_uid, entry.series_uid, entry.principal, entry.reason)
    assert told == (uid(1, 2), study_uid(1), f"{study_uid(1)}.1000", "leadglass", "blurred")
    assert archive.trash.undelete_instances(SYSTEM, image(1, 2)) == 1
    selected = await archive.retrieve.select(SYSTEM, whole_study(1))
    assert [read_back(archive, item) for item in selected] == list(sent.values())
    assert archive.trash.instance_entries(SYSTEM) == []


async def test_with_all_of_its_series_a_study_is_gone(archive: Archive) -> None:
    for number in (1, 2):
        await store_one(archive, 1, number)
    await store_one(archive, 2)
    assert archive.trash.delete_instances(SYSTEM, series(1), "test") == 2
    assert await found(archive) == [study_uid(2)]
    assert archive.trash.undelete_instances(SYSTEM, whole_study(1)) == 2
    assert await found(archive) == [study_uid(1), study_uid(2)]


async def test_an_instance_that_is_sent_again_comes_back_alone(archive: Archive) -> None:
    data = await store_one(archive)
    await store_one(archive, 1, 2)
    archive.trash.delete_instances(SYSTEM, series(1), "test")
    assert (await store(archive, data, uid(1, 1))).outcome is StoreOutcome.RESTORED
    assert await numbers(archive) == ["1"]
    assert [entry.sop_instance_uid for entry in archive.trash.instance_entries(SYSTEM)] == [uid(1, 2)]


async def test_another_content_of_a_hidden_instance_brings_it_back_and_waits(archive: Archive) -> None:
    data = await store_one(archive)
    archive.trash.delete_instances(SYSTEM, image(1, 1), "test")
    other = encoded(data_set(PatientName="Other"))
    assert (await store(archive, other, uid(1, 1))).outcome is StoreOutcome.VERSION
    (stored,) = await archive.retrieve.select(SYSTEM, image(1, 1))
    assert read_back(archive, stored) == data


async def test_a_new_instance_of_a_deleted_series_is_shown(archive: Archive) -> None:
    await store_one(archive)
    archive.trash.delete_instances(SYSTEM, series(1), "test")
    assert (await store(archive, encoded(data_set(1, 2)), uid(1, 2))).outcome is StoreOutcome.STORED
    assert await numbers(archive) == ["2"]
    assert await found(archive) == [study_uid(1)]


async def test_what_lies_in_the_trash_with_its_study_comes_back_with_it(archive: Archive) -> None:
    for number in (1, 2):
        await store_one(archive, 1, number)
    archive.trash.delete_instances(SYSTEM, image(1, 1), "test")
    archive.trash.delete(SYSTEM, whole_study(1), "test")
    with pytest.raises(LeadglassError) as refused:
        archive.trash.undelete_instances(SYSTEM, image(1, 1))
    assert refused.value.code is ErrorCode.NOT_FOUND
    archive.trash.undelete(SYSTEM, [study_uid(1)])
    assert await numbers(archive) == ["2"]  # what was deleted before the study stays so


async def test_deleted_instances_survive_restart_and_reindex(home: Home) -> None:
    with opened(home) as archive:
        for number in (1, 2, 3):
            await store_one(archive, 1, number)
        archive.trash.delete_instances(SYSTEM, image(1, 2), "test")
    for name in home.catalog.parent.glob("catalog.db*"):
        name.unlink()
    with opened(home) as archive:
        archive.recovery.replay(SYSTEM)
        assert await numbers(archive) == ["1", "3"]
        archive.recovery.reindex(SYSTEM)
        assert await numbers(archive) == ["1", "3"]
        archive.catalog.set_hidden([uid(1, 3)], True)  # as after a crash between state and catalog
        archive.recovery.replay(SYSTEM)
        assert await numbers(archive) == ["1", "3"]
        archive.trash.undelete_instances(SYSTEM, whole_study(1))
        assert await numbers(archive) == ["1", "2", "3"]


async def test_no_instance_is_deleted_or_brought_back_that_cannot_be_journalled(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        await store_one(archive, 1, number)
    archive.trash.delete_instances(SYSTEM, image(1, 1), "test")
    stop_journal(archive, monkeypatch)
    for forbidden in (
        lambda: archive.trash.delete_instances(SYSTEM, image(1, 2), "test"),
        lambda: archive.trash.undelete_instances(SYSTEM, image(1, 1)),
    ):
        with pytest.raises(LeadglassError) as refused:
            forbidden()
        assert refused.value.code is ErrorCode.UNAVAILABLE
    assert await numbers(archive) == ["2"]
