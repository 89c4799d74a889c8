"""Data sets that are not what they say, through the served door: transfer syntax (C7), character set (C8), lengths
(C10), and what is tolerated (C6). The archive refuses them or keeps them as they are; it never guesses, and writes down
what it saw."""

import asyncio
import zlib
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from archives import opened

from leadglass.app.live import read_live
from leadglass.core.attributes import Attribute
from leadglass.core.audit import JournalFilter
from leadglass.dicom import uids
from leadglass.dicom.dictionary import vr_of
from leadglass.dicom.values import read_attributes
from leadglass.journal.reader import read_journal
from leadglass.net.proposals import association_request, propose_one
from leadglass.net.requestor import dial

STUDY, INSTANCE, NAME, PATIENT_ID = 0x0020000D, 0x00080018, 0x00100010, 0x00100020
JPEG, MIB = "1.2.840.10008.1.2.4.70", 1024 * 1024


@asynccontextmanager
async def speaking(door, syntax):
    """A device whose only storage context has this transfer syntax."""
    pairs = [(door.CT, (syntax,)), (uids.STUDY_ROOT_FIND, (uids.EXPLICIT_VR_LE,))]
    async with asyncio.timeout(20):
        peer = await dial("127.0.0.1", door.server.port, association_request("LEADGLASS", "WS", propose_one(pairs)))
        yield door.Caller(peer)
        await peer.release()


async def journalled(door, text, what=""):
    """Wait until the journal has a line of this kind with `text`; it is written within a second."""
    async with asyncio.timeout(20):
        while True:
            with opened(door.server.home) as archive:
                home, key = archive.home.journal, archive.keys.journal
                found = [entry.event for entry in read_journal(home, key, JournalFilter(text=text))]
            found = [event for event in found if what in event.what]
            if found:
                return found[-1]
            await asyncio.sleep(0.2)


def implicit(image):
    """The object in Implicit VR Little Endian."""
    parts = [
        (0x00080016, image.sop_class.encode() + b"\0"),
        (INSTANCE, image.uid.encode()),
        (STUDY, image.study.encode()),
        (0x0020000E, image.series.encode()),
    ]
    padded = [(tag, value + b"\0" * (len(value) % 2)) for tag, value in parts]
    return b"".join(
        (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + len(v).to_bytes(4, "little") + v
        for tag, v in padded
    )


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        pytest.param(uids.EXPLICIT_VR_LE, implicit, id="explicit declared, implicit sent"),
        pytest.param(uids.IMPLICIT_VR_LE, lambda image: image.data(), id="implicit declared, explicit sent"),
        pytest.param(uids.EXPLICIT_VR_BE, lambda image: image.data(), id="big endian declared, little sent"),
        pytest.param(uids.DEFLATED_EXPLICIT_VR_LE, lambda image: image.data(), id="deflated declared, plain sent"),
        pytest.param(
            uids.EXPLICIT_VR_LE, lambda image: b"\0" * 128 + b"DICM" + image.data(), id="a file instead of a data set"
        ),
    ],
)
async def test_c7_another_transfer_syntax_than_was_agreed_on(door, declared, sent):
    image = door.Image()
    async with speaking(door, declared) as caller:
        answer = await caller.peer.store(caller.peer.context_for(door.CT), image.uid, sent(image))
        assert answer.status == 0xC000
        assert 0 < len(answer.command.error_comment) <= 64
    assert await door.visible(instance=image.uid) == 0
    assert (await journalled(door, "store-failed")).details["code"] == "unparsable"


async def test_c7_jpeg_declared_raw_sent_is_kept_and_noted(door):
    image = door.Image()
    async with speaking(door, JPEG) as caller:
        answer = await caller.peer.store(caller.peer.context_for(door.CT), image.uid, image.data())
        assert answer.status == 0
    assert await door.visible(instance=image.uid) == 1
    assert "native" in (await journalled(door, image.study)).details["warnings"]


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        pytest.param(b"ISO_IR 192", b"M\xfcller^J\xf6rg", id="latin 1 said to be UTF-8"),
        pytest.param(b"ISO_IR 192", b"A\xc0\xafB\xe0\x80\xafC", id="overlong UTF-8"),
        pytest.param(b"ISO_IR 192", b"A\xed\xa0\x80B", id="half a surrogate"),
        pytest.param(b"\\ISO 2022 IR 87", b"Yamada=\x1b$B;", id="escape that does not end"),
        pytest.param(b"\\ISO 2022 IR 87", b"Yamada=\x1b$Z;3\x1b(B", id="escape of no set"),
        pytest.param(b"ISO_IR 999", b"M\xfcller", id="set that is none"),
        pytest.param(b"\\".join([b"ISO 2022 IR 149"] * 50), b"\x1b$)C\xb1", id="fifty sets"),
    ],
)
async def test_c8_character_sets_that_lie_are_kept_and_answered_readably(door, declared, name):
    image = door.Image()
    lying = door.el(0x00080005, "CS", declared + b" " * (len(declared) % 2))
    before = image.data().split(door.el(0x00100010, "PN", b"Doe^Jane"))
    data = lying + before[0] + door.el(0x00100010, "PN", name + b" " * (len(name) % 2)) + before[1]
    got = []

    async def sink(command, context, pieces):
        got.append(b"".join([piece async for piece in pieces]))
        return 0

    async with door.caller() as caller:
        assert (await caller.store(image, data)).status == 0
        asked = {PATIENT_ID: Attribute("LO", (image.patient_id,)), NAME: Attribute("PN"), STUDY: Attribute("UI")}
        answers = await caller.ask("STUDY", asked)
        told = read_attributes(answers[0].data, uids.EXPLICIT_VR_LE)[NAME].values[0]
        assert told.encode("utf-8").decode("utf-8") == told
        assert "/" not in told
        what = door.identifier("STUDY", {STUDY: Attribute("UI", (image.study,))})
        context = caller.peer.context_for(uids.STUDY_ROOT_GET)
        assert [answer async for answer in caller.peer.get(context, what, sink)][-1].status == 0
    assert got == [data]
    assert "character set" in (await journalled(door, image.study, "tolerated-defects")).details["warnings"]


@pytest.mark.parametrize(
    ("tag", "vr", "declared", "raw"),
    [
        pytest.param(0x00180015, "CS", b"ISO_IR 100", b"SCH\xc4DEL ", id="a code with an umlaut"),
        pytest.param(0x00180015, "CS", b"", b"\x93\xfa\x96{", id="a code in no set"),
        pytest.param(0x00081030, "LO", b"ISO_IR 192", b"a\x1b$)Cb ", id="an escape where there are none"),
        pytest.param(0x00081030, "LO", b"ISO_IR 100", b"\x1b[31mred", id="a terminal's escape"),
        pytest.param(0x00080020, "DA", b"", b"2024\xff\xff01", id="a date that is none"),
        pytest.param(0x00200011, "IS", b"", b"\xb2\xb2", id="a number that is none"),
        pytest.param(0x00200052, "UI", b"", b"1.2.\xb2\0", id="a UID that is none"),
        pytest.param(0x00081010, "SH", b"ISO_IR 192", b"\xef\xbf\xbe\xf4\x8f\xbf\xbf ", id="what Unicode keeps free"),
        pytest.param(0x00280010, "US", b"", b"\1\0\2", id="one number and a half"),
        pytest.param(0x00280030, "DS", b"", b"nan\\inf\\x", id="numbers of no size"),
        pytest.param(0x00180015, "ZZ", b"", b"CHEST\xc4", id="a VR that is none"),
        pytest.param(0x00081032, "SQ", b"", b"\xfe\xff\x00\xe0\0\0\0\0", id="a sequence of one empty item"),
    ],
)
async def test_c8_one_bad_value_spoils_no_query(door, tag, vr, declared, raw):
    """The query answers as if the value were only odd, beside another instance that is well."""
    image = door.Image()
    other = door.Image(study=image.study, series=image.series, patient_id=image.patient_id)
    head = door.el(0x00080005, "CS", declared + b" " * (len(declared) % 2)) if declared else b""
    async with door.caller() as caller:
        assert (await caller.store(image, head + door.el(tag, vr, raw) + image.data())).status == 0
        await caller.stored(other)
        for level in ("STUDY", "SERIES", "IMAGE"):
            keys = {STUDY: Attribute("UI", (image.study,)), tag: Attribute(vr_of(tag)), NAME: Attribute("PN")}
            keys |= {0x00080005: Attribute("CS", ("ISO_IR 100",))}
            answers = await caller.ask(level, dict(sorted(keys.items())))
            assert answers[-1].status == 0, (level, answers[-1].command.error_comment)
            assert len(answers) == (3 if level == "IMAGE" else 2)


def resident(door):
    """Resident memory of the DICOM process in bytes."""
    status = Path(f"/proc/{read_live(door.server.home.live)['pid']}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


@pytest.mark.parametrize("length", [0xFFFFFFFE, 0x7FFFFFFE])
async def test_c10_lengths_of_gigabytes_take_nothing(door, length):
    """Thirty objects that say they are huge, all at once, and end: no memory, no room on the disk, nothing visible."""
    images = [door.Image() for _ in range(30)]
    before = resident(door)

    async def one(image):
        data = image.data()[: -len(image.pixels) - 12] + door.el(0x7FE00010, "OW", b"\1\2", length)
        async with door.caller() as caller:
            return (await caller.store(image, data)).status

    assert set(await asyncio.gather(*map(one, images))) == {0xC000}
    assert resident(door) - before < 64 * MIB
    assert [await door.visible(instance=image.uid) for image in images[:3]] == [0, 0, 0]
    await door.serves()


async def test_c1_a_deflate_bomb_is_refused_in_bounded_memory(door):
    image = door.Image(pixels=b"\0\0")
    head = image.data()[:-14] + door.el(0x7FE00010, "OW", b"", 1024 * MIB)
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(head) + b"".join(packer.compress(bytes(MIB)) for _ in range(1024)) + packer.flush()
    before = resident(door)
    async with speaking(door, uids.DEFLATED_EXPLICIT_VR_LE) as caller:
        answer = await caller.peer.store(caller.peer.context_for(door.CT), image.uid, bomb)
        assert answer.status == 0xC000
    assert resident(door) - before < 128 * MIB
    assert await door.visible(instance=image.uid) == 0


@pytest.mark.parametrize(
    ("tail", "word"),
    [
        pytest.param(((0x00280011, "US", b"\1\0\0", None),), "odd", id="odd length"),
        pytest.param(((0x00180015, "ZZ", b"xxxx", None),), "", id="unknown VR"),
        pytest.param(((0x00200000, "UL", b"\1\0\0\0", None),), "", id="group length that lies"),
        pytest.param(((0x00020010, "UI", b"1.2.840.10008.1.2\0", None),), "", id="group 2 in the data set"),
    ],
)
async def test_c6_what_is_tolerated_is_written_down(door, tail, word):
    image = door.Image(tail=b"".join(door.el(*element) for element in tail))
    async with door.caller() as caller:
        answer = await caller.store(image)
        assert (answer.status, answer.command.error_comment or "") == (0, "")
    event = await journalled(door, image.study)
    assert event.what == "tolerated-defects"
    assert word in event.details["warnings"].lower()


async def test_an_end_out_of_order_is_written_down(door):
    async with door.associated("EYE") as peer:
        await peer.send(b"\1\0\xff\xff\xff\xff")
        assert await peer.cut_off()
    assert (await journalled(door, "association-ended")).principal == "eye"
