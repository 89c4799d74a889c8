"""The key ring: one key per scope whoever asks, two copies that heal each other, nothing readable without the key."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import KeyScope, PatientKey
from leadglass.vault.disk import Disk
from leadglass.vault.key_ring import KeyRing
from leadglass.vault.ring_format import RingCipher, encode_scope, parse_entry, settle

ID, KEY = b"a" * 16, b"k" * 32


def scope(number: int) -> KeyScope:
    return KeyScope(PatientKey("hospital", f"P{number}"), f"1.2.840.{number}")


def ring(root, *, may_create: bool = True, key: bytes = KEY) -> KeyRing:
    return KeyRing(root, ID, key, Disk(), may_create=may_create)


def copies(root):
    return root / "ring-a" / "ring.a", root / "ring-b" / "ring.b"


def test_a_key_stays_the_same_over_restarts(tmp_path):
    first = ring(tmp_path)
    assert first.known(scope(1)) is None
    keys = {number: first.obtain(scope(number)) for number in range(20)}
    assert first.known(scope(1)) is keys[1]
    salt = os.urandom(32)
    sealed = keys[3].cipher(salt).seal_last(0, b"x", (0, 1))
    first.close()
    a, b = copies(tmp_path)
    assert a.read_bytes() == b.read_bytes()
    again = ring(tmp_path, may_create=False)
    assert len(again) == 20
    for number, key in keys.items():
        assert again.obtain(scope(number)).key_id == key.key_id
        assert again.by_id(key.key_id).key_id == key.key_id
    assert again.by_id(keys[3].key_id).cipher(salt).seal_last(0, b"x", (0, 1)) == sealed
    assert list(again.check()) == []
    again.close()


def test_neither_scope_nor_key_stand_in_the_file(tmp_path):
    made = ring(tmp_path)
    made.obtain(KeyScope(PatientKey("Ospedale", "ROSSI-4711"), "1.2.3.4.5"))
    made.close()
    for path in copies(tmp_path):
        content = path.read_bytes()
        assert b"ROSSI" not in content
        assert b"1.2.3.4.5" not in content
    assert "ROSSI" not in repr(ring(tmp_path).obtain(KeyScope(PatientKey("Ospedale", "ROSSI-4711"), "1.2.3.4.5")))


def test_an_administrator_can_rebuild_scopes(tmp_path):
    made = ring(tmp_path)
    made.obtain(scope(7))
    made.close()
    entry = parse_entry(copies(tmp_path)[0].read_bytes()[64:], 0)
    assert RingCipher(KEY, ID).open(entry)[1] == scope(7)


def test_threads_that_ask_together_get_one_key(tmp_path):
    shared = ring(tmp_path)
    got = []
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait()
        got.append(shared.obtain(scope(1)).key_id)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got)) == 1
    assert len(shared) == 1
    shared.close()


def test_processes_that_ask_together_get_one_key(tmp_path):
    code = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from leadglass.core.identity import KeyScope, PatientKey
        from leadglass.vault.disk import Disk
        from leadglass.vault.key_ring import KeyRing
        ring = KeyRing(Path({str(tmp_path)!r}), {ID!r}, {KEY!r}, Disk(), may_create=True)
        sys.stdin.readline()
        for number in range(25):
            print(ring.obtain(KeyScope(PatientKey("hospital", f"P{{number}}"), f"1.2.840.{{number}}")).key_id.hex())
    """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(4)
    ]
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0] for process in running]
    assert len(answers[0].split()) == 25
    assert len(set(answers)) == 1
    opened = ring(tmp_path)
    assert len(opened) == 25
    assert list(opened.check()) == []
    opened.close()


def test_what_another_process_made_is_found(tmp_path):
    one, two = ring(tmp_path), ring(tmp_path)
    key = one.obtain(scope(1))
    assert two.by_id(key.key_id).key_id == key.key_id
    assert two.obtain(scope(1)).key_id == key.key_id
    with pytest.raises(LeadglassError) as caught:
        two.by_id(b"?" * 16)
    assert caught.value.code is ErrorCode.DAMAGED
    one.close()
    two.close()


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize(
    "harm", ["torn", "flipped", "emptied", "removed", "no header", "garbage behind", "cut to half"]
)
def test_a_copy_heals_from_the_other(tmp_path, victim, harm):
    made = ring(tmp_path)
    ids = {number: made.obtain(scope(number)).key_id for number in range(10)}
    made.close()
    path = copies(tmp_path)[victim]
    good = path.read_bytes()
    harmed = {
        "torn": good[:-30],
        "flipped": good[:700] + bytes([good[700] ^ 1]) + good[701:],
        "emptied": b"",
        "removed": None,
        "no header": bytes(64) + good[64:],
        "garbage behind": good + os.urandom(160),
        "cut to half": good[: len(good) // 2],
    }[harm]
    if harmed is None:
        path.unlink()
    else:
        path.write_bytes(harmed)
    again = ring(tmp_path, may_create=False)
    assert {number: again.obtain(scope(number)).key_id for number in range(10)} == ids
    assert again.healed
    assert path.read_bytes() == good
    assert list(again.check()) == again.healed
    again.close()
    assert not ring(tmp_path).healed


def test_different_entries_bad_in_each_copy(tmp_path):
    made = ring(tmp_path)
    ids = {number: made.obtain(scope(number)).key_id for number in range(10)}
    made.close()
    a, b = copies(tmp_path)
    good = a.read_bytes()
    length = (len(good) - 64) // 10
    a.write_bytes(good[: 64 + 2 * length] + bytes(length) + good[64 + 3 * length :])
    b.write_bytes(good[: 64 + 7 * length] + bytes(length) + good[64 + 8 * length :])
    again = ring(tmp_path)
    assert {number: again.obtain(scope(number)).key_id for number in range(10)} == ids
    assert a.read_bytes() == b.read_bytes() == good
    again.close()


def test_an_entry_bad_in_both_copies_costs_only_itself(tmp_path):
    made = ring(tmp_path)
    ids = {number: made.obtain(scope(number)).key_id for number in range(5)}
    made.close()
    for path in copies(tmp_path):
        content = path.read_bytes()
        length = (len(content) - 64) // 5
        path.write_bytes(content[: 64 + length] + os.urandom(length) + content[64 + 2 * length :])
    again = ring(tmp_path)
    assert len(again) == 4
    for number in (0, 2, 3, 4):
        assert again.obtain(scope(number)).key_id == ids[number]
    assert any(item.copy == "both" for item in again.check())
    again.close()


def test_damage_while_running_is_read_around_and_reported(tmp_path):
    made = ring(tmp_path)
    key_id = made.obtain(scope(1)).key_id
    made.close()
    running = ring(tmp_path)
    path = copies(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:100] + b"\xff" + path.read_bytes()[101:])
    assert running.obtain(scope(1)).key_id == key_id
    assert [item.copy for item in running.check()] == ["ring.a"]
    running.close()


def test_a_ring_is_never_made_anew_over_segments(tmp_path):
    with pytest.raises(LeadglassError) as caught:
        ring(tmp_path, may_create=False)
    assert caught.value.code is ErrorCode.DAMAGED


def test_a_wrong_ring_key_is_said_so(tmp_path):
    ring(tmp_path).close()
    with pytest.raises(LeadglassError) as caught:
        ring(tmp_path, key=b"z" * 32)
    assert caught.value.code is ErrorCode.UNAVAILABLE


def test_an_absurd_scope_is_refused(tmp_path):
    made = ring(tmp_path)
    with pytest.raises(LeadglassError) as caught:
        made.obtain(KeyScope(PatientKey("x" * 2_000_000, ""), "1.2"))
    assert caught.value.code is ErrorCode.UNPARSABLE
    long = KeyScope(PatientKey("\udcff" * 60_000, "ü" * 3000), "1.2")
    key_id = made.obtain(long).key_id
    made.close()
    assert ring(tmp_path).obtain(long).key_id == key_id


def test_scopes_that_join_to_the_same_text_are_different():
    one = encode_scope(KeyScope(PatientKey("a", "b,c"), "1"))
    assert one != encode_scope(KeyScope(PatientKey("a,b", "c"), "1"))
    assert one != encode_scope(KeyScope(PatientKey("a", 'b","c'), "1"))


@given(st.binary(max_size=600), st.binary(max_size=600))
def test_settling_any_bytes_ends(first, second):
    settled = settle(first + b"LGke", second)
    assert settled.entries == ()
    assert settled.content == b""


def test_many_studies_fit_in_memory(tmp_path):
    """100,000 studies stay below 40 MB: entries are made by hand, since each real one costs two syncs."""
    ring(tmp_path).close()
    cipher = RingCipher(KEY, ID)
    count = 100_000
    entry = bytearray(cipher.seal(scope(100_000), b"i" * 16, b"k" * 32, 0))
    import zlib

    content = bytearray()
    for number in range(count):
        entry[12:16] = number.to_bytes(4, "big")
        entry[28:32] = number.to_bytes(4, "big")
        entry[-4:] = zlib.crc32(entry[:-4]).to_bytes(4, "big")
        content += entry
    for path in copies(tmp_path):
        with path.open("ab") as file:
            file.write(content)
    del content
    tracemalloc.start()
    loaded = ring(tmp_path)
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(loaded) == count
    assert current < 40_000_000
    assert peak < 60_000_000
    loaded.close()
