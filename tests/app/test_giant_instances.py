"""An instance of gigabytes goes in and comes out over DICOM, and no process of the archive ever holds much of it.

The ordinary run takes smaller ones, which a process that gathered them is still caught with. CI and `make giants` take
3.9 GB native (a length has 32 bits) and 6 GB encapsulated (PS3.3 C.7.6.3.1.8); it wants 15 GB of disk and some minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from archives import Server, device, make, served
from giants import Encapsulated, Giant, Native, digest_of, fetch, send
from resident import MIB, Resident, watched

from leadglass.dicom import uids

FULL = os.environ.get("LEADGLASS_GIANTS") == "full" or os.environ.get("CI") == "true"
AT_MOST = 300 * MIB  # of resident memory, for each process
NATIVE = Native(1, 1_860 if FULL else 320)  # frames of 2 MiB: 3.9 GB
ENCAPSULATED = Encapsulated(2, 5_680 if FULL else 480)  # frames of 1 MiB, a little more in RLE: 6 GB
DECODABLE = Encapsulated(3, 1_500 if FULL else 320)  # what fits into a native value when it is decoded
GIANTS = {"native": NATIVE, "encapsulated": ENCAPSULATED, "decodable": DECODABLE}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if FULL else 300)]


class Ground(NamedTuple):
    server: Server
    resident: Resident


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """An archive that is served, and watched from before the first byte."""
    home = make(tmp_path_factory.mktemp("giants"), [device("ws", "WS")])
    with served(home) as server, watched(server.process.pid) as resident:
        yield Ground(server, resident)


@pytest.mark.parametrize("name", GIANTS)
async def test_it_is_stored(ground: Ground, name: str) -> None:
    assert await send(ground.server.port, "WS", GIANTS[name]) == 0x0000


@pytest.mark.parametrize("name", GIANTS)
async def test_it_comes_back_as_it_was(ground: Ground, name: str) -> None:
    giant: Giant = GIANTS[name]
    fetched = await fetch(ground.server.port, "WS", giant, giant.syntax)
    assert fetched.status == 0x0000
    assert fetched.whole == digest_of(giant.pieces())


async def test_it_comes_in_another_native_syntax(ground: Ground) -> None:
    fetched = await fetch(ground.server.port, "WS", NATIVE, uids.IMPLICIT_VR_LE)
    assert fetched.status == 0x0000
    assert fetched.whole == digest_of(NATIVE.pieces(uids.IMPLICIT_VR_LE))


async def test_it_comes_decompressed(ground: Ground) -> None:
    fetched = await fetch(ground.server.port, "WS", DECODABLE, uids.EXPLICIT_VR_LE)
    assert fetched.status == 0x0000
    assert fetched.pixels == digest_of(DECODABLE.decompressed())


@pytest.mark.skipif(not FULL, reason="the smaller one fits into a native value")
async def test_what_no_native_value_can_hold_is_refused_before_the_first_byte(ground: Ground) -> None:
    fetched = await fetch(ground.server.port, "WS", ENCAPSULATED, uids.EXPLICIT_VR_LE)
    assert (fetched.status, fetched.length) == (0xA702, 0)


@pytest.mark.parametrize("name", GIANTS)
async def test_it_is_sent_again(ground: Ground, name: str) -> None:
    """It is compared with what is there, and no second one is kept."""
    assert await send(ground.server.port, "WS", GIANTS[name]) == 0x0000
    segments = [path for path in (ground.server.home.vault / "segments").rglob("*") if path.is_file()]
    assert len([path for path in segments if path.stat().st_size > 200 * MIB]) == len(GIANTS)


def test_the_check_reads_all_of_it(ground: Ground) -> None:
    home = str(ground.server.home.root)
    command = [sys.executable, "-m", "leadglass.app", "check", "--read-data", "--json", "--home", home]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, watched(process.pid) as resident:
        said, _ = process.communicate()
    assert process.returncode == 0, said
    assert json.loads(said) == {"instances": len(GIANTS), "records": len(GIANTS), "problems": []}
    assert 0 < max(resident.marks.values()) < AT_MOST


@pytest.mark.parametrize("kind", ["serve", "dicom_process", "sandbox"])
def test_no_process_ever_held_much(ground: Ground, kind: str) -> None:
    marks = ground.resident.of(kind)
    print(f"{kind}: at most {max(marks) // MIB} MiB resident, of {len(marks)} process(es)")
    assert 0 < max(marks) < AT_MOST
    assert not ground.resident.of("other")
