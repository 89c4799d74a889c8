"""Group commit: rows wait for the sync, the sync for nobody, and what is durable is never passed by a mark."""

from __future__ import annotations

import pytest
from objects import data_set, encoded, store, uid

from leadglass.app.archive import Archive
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import SYSTEM


async def test_the_commit_comes_after_the_sync(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    vault = archive.vault
    sync = vault.sync

    def watched() -> object:
        marks = sync()
        seen.append(archive.catalog.lookup(uid(1, 1)))
        return marks

    monkeypatch.setattr(vault, "sync", watched)
    await store(archive, encoded(data_set()), uid(1, 1))
    assert seen == [None]
    assert archive.catalog.lookup(uid(1, 1)) is not None


async def test_a_catalog_that_fails_before_the_sync_leaves_durable_records_that_are_owed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is written: a later mark must not pass it by, so it is synced and catalogued with the next one."""
    syncs = []
    sync, add = archive.vault.sync, archive.catalog.add

    def broken(*_args: object) -> object:
        raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "No room for a row.")

    monkeypatch.setattr(archive.vault, "sync", lambda: syncs.append(1) or sync())
    monkeypatch.setattr(archive.catalog, "add", broken)
    with pytest.raises(LeadglassError, match="No room"):
        await store(archive, encoded(data_set(1, 1)), uid(1, 1))
    assert syncs == [1]
    monkeypatch.setattr(archive.catalog, "add", add)
    await store(archive, encoded(data_set(1, 2)), uid(1, 2))
    assert archive.catalog.lookup(uid(1, 1)) is not None
    assert archive.maintenance.check(SYSTEM, read_data=True).problems == []
