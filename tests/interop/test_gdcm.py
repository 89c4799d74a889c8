"""gdcmscu against a served archive: echo and store.

GDCM 3.0 aborts its own process when it has received A-RELEASE-RP, whoever the peer is: its exit code says nothing, so
its output and what the archive has afterwards are looked at; answers to a query it never prints.
"""

import asyncio

import interop_studies as studies
import pytest
from asking import Asker, Given
from collection import specimen

pytestmark = pytest.mark.interop("gdcm")


@pytest.fixture
def gdcmscu(archive, gdcm, run_peer):
    def run(*arguments):
        command = ["stdbuf", "-o0", gdcm.tool("gdcmscu"), *arguments, "--aetitle", "GDCMSCU", "--call", "LEADGLASS"]
        return run_peer([*command, "127.0.0.1", archive.port], check=False).stdout

    return run


def test_echo(gdcmscu):
    assert "PDU code: 6" in gdcmscu("--echo", "-D")  # it was released in order, after an answer


def test_store(archive, gdcmscu, tmp_path):
    files = studies.write(tmp_path / "files")
    gdcmscu("--store", *(part for file in files for part in ("-i", file)))
    sent = [specimen(file) for file in files]
    wanted = [Given(item.sop_class, item.sop_instance, item.syntax, b"") for item in sent]
    came = asyncio.run(Asker(archive.port, "LGCLI").get(wanted))
    assert {uid: item.data[-2048:] for uid, item in came.items()} == {
        item.sop_instance: item.data[-2048:] for item in sent
    }
