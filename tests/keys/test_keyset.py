"""Keyset, sources, recovery kit: only the right master opens, every change is seen, the kit really brings all back."""

from __future__ import annotations

import json
import os
import stat
import sys

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.keys import derive, keyset, recovery, sources

MASTER = bytes(range(32))
CHEAP = derive.Argon2Parameters(b"0123456789abcdef", time=1, memory_kib=64, lanes=1)


@pytest.fixture
def cheap_passphrases(monkeypatch):
    monkeypatch.setattr(derive.Argon2Parameters, "fresh", classmethod(lambda cls: CHEAP))


def refused(code, call, *arguments, **named):
    with pytest.raises(LeadglassError) as caught:
        call(*arguments, **named)
    assert caught.value.code is code
    return caught.value.comment


def test_hkdf_is_rfc_5869s():
    """RFC 5869 A.1, the first 32 bytes."""
    okm = derive.hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)))
    assert okm.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"


def test_a_keyset_comes_back_with_its_master_only(tmp_path):
    path = tmp_path / "keyset.json"
    made = keyset.create(path, MASTER)
    assert keyset.open_keyset(path, MASTER) == made
    assert keyset.archive_id(path) == made.archive_id
    assert len({*made.by_name().values()}) == 6
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_text()
    assert not any(key.hex() in content for key in [MASTER, *made.by_name().values()])
    assert not any(key.hex() in repr(made) or repr(key) in repr(made) for key in made.by_name().values())
    refused(ErrorCode.NOT_AUTHORISED, keyset.open_keyset, path, bytes(32))
    refused(ErrorCode.USAGE, keyset.open_keyset, path, b"short")
    assert [item.name for item in tmp_path.iterdir()] == ["keyset.json"]


def test_an_existing_keyset_is_never_overwritten(tmp_path):
    path = tmp_path / "keyset.json"
    made = keyset.create(path, MASTER)
    refused(ErrorCode.USAGE, keyset.create, path, MASTER)
    assert keyset.open_keyset(path, MASTER) == made
    assert len(list(tmp_path.iterdir())) == 1


def test_two_masters_open_the_same_keys(tmp_path):
    path = tmp_path / "keyset.json"
    made = keyset.create(path, MASTER)
    keyset.add_master(path, MASTER, b"n" * 32)
    keyset.add_master(path, MASTER, b"n" * 32)
    assert keyset.open_keyset(path, MASTER) == keyset.open_keyset(path, b"n" * 32) == made
    refused(ErrorCode.NOT_AUTHORISED, keyset.add_master, path, bytes(32), b"x" * 32)


def test_wraps_do_not_fit_each_others_place(tmp_path):
    path = tmp_path / "keyset.json"
    keyset.create(path, MASTER)
    document = json.loads(path.read_text())
    document["keys"]["state"], document["keys"]["token"] = document["keys"]["token"], document["keys"]["state"]
    path.write_text(json.dumps(document))
    refused(ErrorCode.DAMAGED, keyset.open_keyset, path, MASTER)


def test_any_changed_character_is_seen(tmp_path):
    path = tmp_path / "keyset.json"
    made = keyset.create(path, MASTER)
    good = path.read_bytes()
    for at in range(0, len(good), 3):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        try:
            opened = keyset.open_keyset(path, MASTER)
        except LeadglassError:
            continue
        assert opened == made  # a time stamp or white space


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"format":"leadglass-keyset"}',
        b'{"format":"leadglass-keyset","version":1,"archive":7,"masters":[],"keys":{}}',
    ],
)
def test_what_is_no_keyset_is_said_so(tmp_path, content):
    path = tmp_path / "keyset.json"
    path.write_bytes(content)
    with pytest.raises(LeadglassError) as caught:
        keyset.open_keyset(path, MASTER)
    assert caught.value.code in {ErrorCode.DAMAGED, ErrorCode.UNAVAILABLE}


def test_a_missing_and_a_newer_keyset(tmp_path):
    path = tmp_path / "keyset.json"
    refused(ErrorCode.NOT_FOUND, keyset.open_keyset, path, MASTER)
    keyset.create(path, MASTER)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "version": 2}))
    refused(ErrorCode.UNAVAILABLE, keyset.open_keyset, path, MASTER)


def test_a_passphrase_as_master(tmp_path):
    path = tmp_path / "keyset.json"
    made = keyset.create(path, derive.from_passphrase("correct horse", CHEAP), derivation=CHEAP)
    parameters = keyset.passphrase_parameters(path)
    assert parameters == CHEAP
    assert keyset.open_keyset(path, derive.from_passphrase("correct horse", parameters)) == made
    refused(ErrorCode.NOT_AUTHORISED, keyset.open_keyset, path, derive.from_passphrase("wrong", parameters))
    other = tmp_path / "other.json"
    keyset.create(other, MASTER)
    assert keyset.passphrase_parameters(other) is None


@pytest.mark.parametrize(
    "parameters",
    [
        derive.Argon2Parameters(b"s" * 16, memory_kib=2**31),
        derive.Argon2Parameters(b"s" * 16, time=10**6),
        derive.Argon2Parameters(b"", 1, 64, 1),
        derive.Argon2Parameters(b"s" * 16, 1, 8, 4),
    ],
)
def test_a_file_cannot_ask_for_absurd_work(parameters):
    refused(ErrorCode.DAMAGED, derive.from_passphrase, "x", parameters)


def test_sources_give_the_master(tmp_path):
    path = tmp_path / "master.key"
    sources.write_master_file(path, MASTER)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sources.from_file(path) == MASTER
    assert sources.from_credential(tmp_path, "master.key") == MASTER
    assert sources.from_descriptor(os.open(path, os.O_RDONLY)) == MASTER
    assert sources.from_command([sys.executable, "-c", f"print('{MASTER.hex()}')"]) == MASTER
    assert sources.parse(MASTER) == MASTER
    assert sources.parse(MASTER.hex().upper().encode() + b"\r\n") == MASTER
    refused(ErrorCode.USAGE, sources.write_master_file, path, MASTER)
    assert len(sources.generate_master()) == 32


def test_sources_that_give_none(tmp_path):
    link = tmp_path / "link"
    (tmp_path / "real").write_text(MASTER.hex())
    link.symlink_to(tmp_path / "real")
    refused(ErrorCode.UNAVAILABLE, sources.from_file, link)
    refused(ErrorCode.UNAVAILABLE, sources.from_file, tmp_path / "absent")
    refused(ErrorCode.USAGE, sources.from_credential, tmp_path, "../etc/passwd")
    refused(ErrorCode.UNAVAILABLE, sources.from_command, [sys.executable, "-c", "raise SystemExit(1)"])
    refused(
        ErrorCode.UNAVAILABLE,
        sources.from_command,
        [sys.executable, "-c", "import time; time.sleep(30)"],
        0.2,
    )
    refused(ErrorCode.USAGE, sources.from_command, [])
    for content in [b"", b"zz" * 32, b"00" * 31, b"00" * 33, b"\xff" * 64, b"0" * 10_000]:
        (tmp_path / "bad").write_bytes(content)
        refused(ErrorCode.DAMAGED, sources.from_file, tmp_path / "bad")


def test_how_a_key_file_is_kept(tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    path, me = tmp_path / "master.key", os.getuid()
    sources.write_master_file(path, MASTER)
    assert sources.file_risks(path, archive, me) == []
    path.chmod(0o640)
    assert "others" in " ".join(sources.file_risks(path, archive, me))
    inside = archive / "master.key"
    sources.write_master_file(inside, MASTER)
    assert "inside" in " ".join(sources.file_risks(inside, archive, me))
    path.chmod(0o600)
    os.chown(path, 12345, -1) if me == 0 else None
    assert bool(sources.file_risks(path, archive, me)) == (me == 0)
    (tmp_path / "link").symlink_to(path)
    assert "symbolic" in " ".join(sources.file_risks(tmp_path / "link", archive, me))
    assert sources.file_risks(tmp_path / "absent", archive, me)
    assert sources.file_risks(archive, archive, me)


@pytest.mark.usefixtures("cheap_passphrases")
class TestRecoveryKit:
    def test_it_proves_itself_and_brings_everything_back(self, tmp_path):
        path = tmp_path / "keyset.json"
        made = keyset.create(path, MASTER)
        kit = recovery.export(MASTER, made, "im Tresor")
        assert kit.isascii()
        assert max(map(len, kit.splitlines())) <= 100
        assert recovery.prove(kit, "im Tresor", path).master == MASTER
        path.unlink()
        assert recovery.restore(kit, "im Tresor", path).keyset == made
        assert keyset.open_keyset(path, MASTER) == made
        refused(ErrorCode.USAGE, recovery.restore, kit, "im Tresor", path)
        assert MASTER.hex() not in kit
        assert repr(MASTER) not in repr(recovery.open_kit(kit, "im Tresor"))

    def test_the_wrong_passphrase_and_the_wrong_archive(self, tmp_path):
        one = keyset.create(tmp_path / "one.json", MASTER)
        keyset.create(tmp_path / "two.json", MASTER)
        keyset.create(tmp_path / "three.json", b"t" * 32)
        kit = recovery.export(MASTER, one, "secret")
        refused(ErrorCode.NOT_AUTHORISED, recovery.open_kit, kit, "Secret")
        refused(ErrorCode.NOT_AUTHORISED, recovery.prove, kit, "secret", tmp_path / "two.json")
        refused(ErrorCode.NOT_AUTHORISED, recovery.prove, kit, "secret", tmp_path / "three.json")
        refused(ErrorCode.NOT_FOUND, recovery.prove, kit, "secret", tmp_path / "none.json")

    def test_typed_by_hand(self, tmp_path):
        made = keyset.KeySet.generate()
        kit = recovery.export(MASTER, made, "secret")
        sloppy = "\n\n".join("  " + line.lower() + " " if ":" in line else line for line in kit.splitlines())
        assert recovery.open_kit(sloppy, "secret").keyset == made

    def test_a_typing_error_is_found_in_its_line(self):
        kit = recovery.export(MASTER, keyset.KeySet.generate(), "secret").splitlines()
        first = next(at for at, line in enumerate(kit) if line.startswith("01:"))
        for number in range(1, 17):
            line = kit[first + number - 1]
            wrong = line[:6] + ("A" if line[6] != "A" else "B") + line[7:]
            text = "\n".join([*kit[: first + number - 1], wrong, *kit[first + number :]])
            assert f"Line {number:02}" in refused(ErrorCode.DAMAGED, recovery.open_kit, text, "secret")
        swapped = [*kit[:first], kit[first + 1], kit[first], *kit[first + 2 :]]
        refused(ErrorCode.DAMAGED, recovery.open_kit, "\n".join(swapped), "secret")
        missing = [*kit[: first + 5], *kit[first + 6 :]]
        refused(ErrorCode.DAMAGED, recovery.open_kit, "\n".join(missing), "secret")

    def test_any_changed_character_is_seen(self):
        made = keyset.KeySet.generate()
        kit = recovery.export(MASTER, made, "secret")
        start = kit.index("-----BEGIN")
        for at in range(start, len(kit), 2):
            changed = kit[:at] + chr(ord(kit[at]) ^ 1) + kit[at + 1 :]
            try:
                assert recovery.open_kit(changed, "secret").keyset == made
            except LeadglassError as problem:
                assert problem.code in {ErrorCode.DAMAGED, ErrorCode.NOT_AUTHORISED, ErrorCode.UNAVAILABLE}

    @pytest.mark.parametrize("text", ["", "-----BEGIN LEADGLASS RECOVERY KIT-----", "x" * 200_000, "\n" * 100])
    def test_what_is_no_kit(self, text):
        refused(ErrorCode.DAMAGED, recovery.open_kit, text, "x")
