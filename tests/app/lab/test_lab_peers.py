"""The foreign servers of the laboratory: an audit says what is so of each, and nobody else reaches one of them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from lab_audit import assert_true, audit_lab
from lab_turn import lab_turn

from leadglass.app.lab import enclosure, peers
from leadglass.app.lab.enclosure import Door, Enclosed, enclosed
from leadglass.app.lab.holdings import CANARY
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.facts import Answer, Facts

pytestmark = pytest.mark.interop("orthanc", "dcmtk", "namespaces")


@pytest.fixture(scope="module")
def standing():
    with lab_turn():
        chosen, missing = peers.chosen_peers(frozenset())
        assert not missing
        with peers.served(chosen) as places:
            yield places


def test_every_rung_count_finding_and_product_is_the_true_one(standing, tmp_path):
    audit, places = audit_lab(tmp_path, only=standing)
    assert_true(audit, places)
    assert not any(CANARY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_dcmtks_archive_knows_any_who_know_its_title(standing, tmp_path):
    audit, _ = audit_lab(tmp_path, only=standing, default_titles=True)
    by_name = {(place.address, place.port): place.name for place in standing}
    facts = {
        by_name[result.observation.service.address, result.observation.service.port]: Facts(result.observation.facts)
        for result in audit.results
    }
    assert facts["dcmqrscp"].value("D05", "titles") == ("COMMON",)
    assert facts["orthanc-closed"].get("D05").answer is Answer.NO


def test_nothing_listens_but_on_the_addresses_of_the_laboratory(standing):
    listening = {address for process in family(os.getpid()) for address in listeners(process)}
    doors = {(place.address, place.port) for place in standing}
    assert doors <= listening
    assert {address for address, _ in listening - doors if not address.startswith("127.")} == set()


def test_who_cannot_be_enclosed_is_named_and_not_started(monkeypatch):
    monkeypatch.setattr(peers, "enclosing", lambda: ())
    chosen, missing = peers.chosen_peers(frozenset({"storescp"}))
    assert not chosen
    assert {one.name for one in missing} == {"orthanc-open", "orthanc-closed", "dcmqrscp", "qrscp"}
    monkeypatch.setattr(enclosure, "enclosing", lambda: ())
    with pytest.raises(LeadglassError) as refused, enclosed([]):
        pass
    assert refused.value.code is ErrorCode.UNAVAILABLE


def test_who_is_not_installed_is_named_and_the_others_start(monkeypatch):
    monkeypatch.setattr(peers.shutil, "which", lambda name, path: None if name == "Orthanc" else f"/bin/{name}")
    chosen, missing = peers.chosen_peers(frozenset())
    assert {one.name: one.why for one in missing} == dict.fromkeys(
        ("orthanc-open", "orthanc-closed"), "orthanc: not installed"
    )
    assert {peer.name for peer in chosen} == {"dcmqrscp", "storescp", "qrscp"}


def test_a_server_that_does_not_start_is_named(tmp_path):
    server = Enclosed("broken", ("/bin/false",), tmp_path, (Door("127.77.2.60", 11112, 20_000),))
    with pytest.raises(LeadglassError, match="broken did not start"), enclosed([server]):
        pass


def test_an_address_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.77.2.61", 11112)):
        server = Enclosed("late", ("/bin/false",), tmp_path, (Door("127.77.2.61", 11112, 20_000),))
        with pytest.raises(LeadglassError) as refused, enclosed([server]):
            pass
    assert refused.value.code is ErrorCode.IN_USE


KILLED = """
import os, signal, sys
from pathlib import Path
from leadglass.app.lab.enclosure import Door, Enclosed, enclosed
words = (sys.executable, "-m", "http.server", "20000")
with enclosed([Enclosed("web", words, Path(sys.argv[1]), (Door("127.77.2.62", 8042, 20000),))]):
    print("up", flush=True)
    signal.pause()
"""


def test_all_of_them_end_with_a_laboratory_that_is_killed(tmp_path):
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        inside = family(process.pid)
        assert len(inside) >= 4  # the laboratory, unshare, what runs inside, its server
        handles = [os.pidfd_open(one) for one in inside]
        process.send_signal(signal.SIGKILL)
        for handle in handles:
            assert ended(handle)


def ended(handle: int) -> bool:
    import select

    readable, _, _ = select.select([handle], [], [], 60)
    os.close(handle)
    return bool(readable)


def family(root: int) -> list[int]:
    """A process and all that it started."""
    found = [root]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def listeners(process: int) -> set[tuple[str, int]]:
    """Where a process listens in our network, IPv6 included."""
    inodes = set()
    for descriptor in Path(f"/proc/{process}/fd").glob("*"):
        try:
            inodes |= set(re.findall(r"socket:\[(\d+)\]", str(descriptor.readlink())))
        except OSError:
            continue  # closed meanwhile
    found = set()
    for table in ("tcp", "tcp6"):
        for row in Path("/proc/net", table).read_text().splitlines()[1:]:
            words = row.split()
            if words[3] == "0A" and words[9] in inodes:
                address, port = words[1].split(":")
                packed = bytes.fromhex(address)
                text = socket.inet_ntoa(packed[::-1]) if len(packed) == 4 else f"[{address}]"
                found.add((text, int(port, 16)))
    return found
