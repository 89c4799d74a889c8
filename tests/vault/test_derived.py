"""What is derived is kept encrypted, opens for its own state only, and never fails anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadglass.core.identity import KeyScope, PatientKey
from leadglass.vault.store import SegmentVault

SCOPE = KeyScope(PatientKey("", "P1"), "1.2.3")


@pytest.fixture
def vault(tmp_path: Path):
    made = SegmentVault(tmp_path, bytes(16), bytes(32))
    yield made
    made.close()


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "derived").rglob("*") if path.is_file()]


def test_it_comes_back_for_the_same_state_only(vault: SegmentVault) -> None:
    key = vault.obtain_key(SCOPE).key_id
    vault.derived.put(key, "metadata", "1.2.3/4", "stamp", b"content")
    assert vault.derived.get(key, "metadata", "1.2.3/4", "stamp") == b"content"
    assert vault.derived.get(key, "metadata", "1.2.3/4", "later") is None
    assert vault.derived.get(key, "thumbnail", "1.2.3/4", "stamp") is None
    vault.derived.put(key, "metadata", "1.2.3/4", "later", b"more")
    assert vault.derived.get(key, "metadata", "1.2.3/4", "later") == b"more"


def test_nothing_of_it_shows_on_disk(vault: SegmentVault, tmp_path: Path) -> None:
    key = vault.obtain_key(SCOPE).key_id
    vault.derived.put(key, "metadata", "../../1.2.3", "stamp", b"Rossi^Anna")
    (path,) = files(tmp_path)
    assert b"Rossi" not in path.read_bytes()
    assert "1.2.3" not in str(path)
    assert path.stat().st_mode & 0o077 == 0


def test_another_study_s_file_in_its_place_does_not_open(vault: SegmentVault, tmp_path: Path) -> None:
    mine = vault.obtain_key(SCOPE).key_id
    other = vault.obtain_key(KeyScope(PatientKey("", "P2"), "9.9")).key_id
    vault.derived.put(mine, "metadata", "n", "s", b"mine")
    (path,) = files(tmp_path)
    vault.derived.put(other, "metadata", "n", "s", b"other")
    (foreign,) = [item for item in files(tmp_path) if item != path]
    path.write_bytes(foreign.read_bytes())
    assert vault.derived.get(mine, "metadata", "n", "s") is None


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b[:10], lambda b: b"", lambda b: b[:-1] + b"\0"])
def test_a_damaged_file_is_as_if_it_were_not_there(vault: SegmentVault, tmp_path: Path, change) -> None:
    key = vault.obtain_key(SCOPE).key_id
    vault.derived.put(key, "metadata", "n", "s", b"content")
    (path,) = files(tmp_path)
    path.write_bytes(change(path.read_bytes()))
    assert vault.derived.get(key, "metadata", "n", "s") is None


def test_a_key_that_is_not_there_and_a_full_disk_lose_nothing(vault: SegmentVault, tmp_path: Path) -> None:
    assert vault.derived.get(bytes(16), "metadata", "n", "s") is None
    vault.derived.put(bytes(16), "metadata", "n", "s", b"content")
    (tmp_path / "derived").write_bytes(b"a file where the folder should be")
    key = vault.obtain_key(SCOPE).key_id
    vault.derived.put(key, "metadata", "n", "s", b"content")
    assert vault.derived.get(key, "metadata", "n", "s") is None
