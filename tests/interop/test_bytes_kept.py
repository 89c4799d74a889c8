"""A data set comes back as it was on the wire, byte for byte, for all of the collections of pydicom."""

import asyncio
import itertools
from pathlib import Path

import pytest
from archives import device, free_port, make, sink
from asking import Asker, Given
from collection import Specimen, collection, rounds, specimen
from hosting import hosted
from refused import REFUSED, UNSENT
from tap import tapped

from leadglass.dicom.sop_classes import is_patientless

SPECIMENS = collection()
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # what a file without a SOP class is announced as


def announced(item: Specimen) -> Given:
    """How a sender would announce it; what a file does not have is made up, so that the archive is asked at all."""
    instance = item.sop_instance or f"1.2.3.{SPECIMENS.index(item)}"
    return Given(item.sop_class or SECONDARY_CAPTURE, instance, item.syntax, item.data)


ROUNDS = rounds(SPECIMENS, lambda item: announced(item).sop_instance)


@pytest.mark.parametrize("number", range(len(ROUNDS)))
async def test_data_sets_come_back_as_they_were(number: int, tmp_path: Path) -> None:
    specimens = ROUNDS[number]
    given = [announced(item) for item in specimens]
    async with hosted(make(tmp_path, [device("asker")])) as port:
        asker = Asker(port, "ASKER")
        answers = await asker.store(given)
        kept = [item for item, answer in zip(given, answers, strict=True) if answer.status == 0]
        came = await asker.get(kept)
    wrong = []
    for item, sent, answer in zip(specimens, given, answers, strict=True):
        reason = REFUSED.get(item.name)
        if reason is None and answer.status != 0:
            wrong.append((item.name, answer))
        elif reason is not None and (answer.status == 0 or reason not in answer.comment):
            wrong.append((item.name, answer, reason))
        elif reason is None and came.get(item.sop_instance) != sent:
            wrong.append((item.name, "other bytes"))
    assert not wrong, "\n".join(map(str, wrong))


def test_what_cannot_be_catalogued_is_listed() -> None:
    """Each file without the four UIDs is in the list of refusals; all in the list are in the collection."""
    lacking = {item.name for item in SPECIMENS if not item.identified and not is_patientless(item.sop_class)}
    assert lacking <= REFUSED.keys()
    assert REFUSED.keys() <= {item.name for item in SPECIMENS}


# --- as DCMTK sends them: storescu rewrites some files, so a tap keeps what it put on the wire ---------------------

STORESCU = {  # transfer syntax -> how storescu is told to propose it
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}


async def run(*command: object) -> str:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode("utf-8", "replace")


def storable(specimens: list[Specimen]) -> list[Specimen]:
    return [item for item in specimens if item.name not in REFUSED and item.identified]


@pytest.mark.interop("dcmtk")
@pytest.mark.parametrize("number", range(len(ROUNDS)))
async def test_what_storescu_put_on_the_wire_comes_back_and_goes_on(number, tmp_path, dcmtk, start_peer) -> None:
    """By own C-GET, and by C-MOVE to a storescp that writes what it reads (+B)."""
    specimens = sorted(storable(ROUNDS[number]), key=lambda item: item.syntax)
    port, out = free_port(), tmp_path / "received"
    out.mkdir()
    start_peer([dcmtk.tool("storescp"), "+B", "+xa", "-uf", "-aet", "STORESCP", "-od", out, port], port)
    devices = [device("asker", destinations=("storescp",)), sink("storescp", port)]
    async with hosted(make(tmp_path, devices)) as archive, tapped(archive) as (tap, talks):
        for syntax, group in itertools.groupby(specimens, key=lambda item: item.syntax):
            options = (STORESCU[syntax], "-R", "-nh", "-aet", "ASKER", "-aec", "LEADGLASS")
            together = list(group)
            alone = [[item] for item in together if item.name in UNSENT]  # one that it cannot read ends the program
            for batch in ([item for item in together if item.name not in UNSENT], *alone):
                await run(dcmtk.tool("storescu"), *options, "127.0.0.1", tap, *(item.path for item in batch))
        sent = [pair for talk in talks for pair in talk.stores()]
        asker = Asker(archive, "ASKER")
        came = await asker.get([given for given, _ in sent])
        options = ("-P", "-aet", "ASKER", "-aec", "LEADGLASS", "-aem", "STORESCP", "-k", "QueryRetrieveLevel=IMAGE")
        instances = [given.sop_instance for given, _ in sent]
        for start in range(0, len(instances), 40):
            key = "SOPInstanceUID=" + "\\".join(instances[start : start + 40])
            await run(dcmtk.tool("movescu"), *options, "-k", key, "127.0.0.1", archive)
    received = {item.sop_instance: item.data for item in map(specimen, out.iterdir())}
    arrived = {given.sop_instance for given, _ in sent}
    assert {item.name for item in specimens if item.sop_instance not in arrived} <= UNSENT.keys()
    wrong = [(given.sop_instance, status) for given, status in sent if status != 0]
    wrong += [(given.sop_instance, "got") for given, _ in sent if came.get(given.sop_instance) != given]
    wrong += [(given.sop_instance, "moved") for given, _ in sent if received.get(given.sop_instance) != given.data]
    assert not wrong
