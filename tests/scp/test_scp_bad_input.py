"""Bad input over C-STORE: an honest status, the tag, a comment without values, nothing visible, and life goes on."""

import pytest

from leadglass.core.attributes import Attribute

STUDY, SERIES, INSTANCE, SOP_CLASS = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
MR = "1.2.840.10008.5.1.4.1.1.4"
LONG_UID = "1.2." + "3" * 61


async def refused(door, image, status, tags=None, data=None):
    """The object is refused with `status`; nothing of it is there, and the association goes on."""
    async with door.caller() as caller:
        answer = await caller.store(image, data)
        assert answer.status == status, hex(answer.status)
        comment = answer.command.error_comment or ""
        assert 0 < len(comment) <= 64
        for value in (image.uid, image.patient_id, image.name, image.study):
            assert len(value) < 3 or value not in comment
        if tags is not None:
            assert tuple(answer.command.offending_elements or ()) == tags
        await caller.still_works()
        if image.study not in ("-", "") and len(image.study) <= 64 and image.study.isascii():
            assert await caller.matches("STUDY", {STUDY: Attribute("UI", (image.study,))}) == []


@pytest.mark.parametrize(
    ("changes", "tag"),
    [
        ({"sop_class": None}, SOP_CLASS),
        ({"sop_class": ""}, SOP_CLASS),
        ({"sop_class": MR}, SOP_CLASS),
        ({"inner_uid": "-"}, INSTANCE),
        ({"inner_uid": ""}, INSTANCE),
        ({"inner_uid": "1.2.826.0.1.99.0"}, INSTANCE),
    ],
)
async def test_uids_absent_or_unequal_to_the_command(door, changes, tag):
    await refused(door, door.Image(**changes), 0xA900, (tag,))


@pytest.mark.parametrize("sop_class", [MR, "1.2.3", ""])
async def test_a_sop_class_that_is_not_the_contexts(door, sop_class):
    image = door.Image()
    async with door.caller() as caller:
        context = caller.peer.context_for(door.CT)
        command = door.store_command(image, sop_class)
        answer = await caller.peer.ask(context, command, image.data())
        assert (answer.status, tuple(answer.command.offending_elements or ())) == (0xA900, (0x00000002,))
        await caller.still_works()
    assert await door.visible(study=image.study) == 0


@pytest.mark.parametrize(
    "uid",
    [
        *("..", ".", "/etc/passwd", "..\\..", "1.2.3\0.4", LONG_UID, "1.2.a", "1.2.x", "%2e%2e%2f"),
        *("1.2.3 4", "1.2/3", "1.2.3\n", "*", "1.2.*", "C:1.2", "1.2.\u00b2"),
    ],
)
async def test_b1_instance_uids_that_are_none(door, uid):
    image = door.Image(uid=uid)
    await refused(door, image, 0x0117, (INSTANCE,))
    assert await door.visible(study=image.study) == 0


async def test_b1_an_empty_instance_uid(door):
    image = door.Image(uid="")
    async with door.caller() as caller:
        context = caller.peer.context_for(door.CT)
        answer = await caller.peer.ask(context, door.store_command(image, door.CT), image.data())
        assert answer.status in (0x0117, 0xA900)
        await caller.still_works()
    assert await door.visible(study=image.study) == 0


@pytest.mark.parametrize("part", ["study", "series"])
@pytest.mark.parametrize("uid", ["-", "", "..", "/etc/passwd", "1.2.a", LONG_UID])
async def test_b1_study_and_series_uids_that_are_none(door, part, uid):
    image = door.Image(**{part: uid})
    await refused(door, image, 0xC000, (STUDY if part == "study" else SERIES,))
    assert await door.visible(instance=image.uid) == 0


@pytest.mark.parametrize("uid", ["1.02.003.4", "0.0.1"])
async def test_leading_zeros_are_kept(door, uid):
    image = door.Image(uid=f"{uid}.{id(door)}")
    async with door.caller() as caller:
        await caller.stored(image)
    assert await door.visible(instance=image.uid) == 1


@pytest.mark.parametrize("cut", [1, 60, 127, 128, 130, 138, 139, 141, 150, 200])
async def test_c9_an_object_cut_short(door, cut):
    image = door.Image()
    await refused(door, image, 0xC000, data=image.data()[:-cut])
    assert await door.visible(instance=image.uid) == 0


@pytest.mark.parametrize("data", [b"", b"\0" * 400, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(range(256)) * 8])
async def test_what_is_no_data_set(door, data):
    image = door.Image()
    async with door.caller() as caller:
        answer = await caller.store(image, data)
        assert answer.status in (0xC000, 0xA900)
        await caller.still_works()
    assert await door.visible(study=image.study) == 0


def nested(door, depth, defined):
    content = b""
    for _ in range(depth):
        if defined:
            item = b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content
            content = door.el(0x0040A730, "SQ", item)
        else:
            item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + content + b"\xfe\xff\x0d\xe0\0\0\0\0"
            content = door.el(0x0040A730, "SQ", item + b"\xfe\xff\xdd\xe0\0\0\0\0", 0xFFFFFFFF)
    return content


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("depth", [50, 64])
async def test_c4_deep_sequences_within_the_limit(door, depth, defined):
    image = door.Image(tail=nested(door, depth, defined))
    async with door.caller() as caller:
        await caller.stored(image)


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("depth", [65, 200, 5000])
async def test_c4_deep_sequences_beyond_the_limit(door, depth, defined):
    await refused(door, door.Image(tail=nested(door, depth, defined)), 0xC000)


async def test_c5_a_million_empty_items(door):
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 1_000_000
    await refused(door, door.Image(tail=door.el(0x0040A730, "SQ", items)), 0xC000)


async def test_c5_a_million_empty_elements(door):
    elements = b"".join(door.el(0x00410000 + number % 0xFFFF, "LO", b"") for number in range(1_000_001))
    await refused(door, door.Image(tail=elements), 0xC000)


async def test_c5_a_million_values_are_one_value(door):
    image = door.Image(tail=door.el(0x00400440, "UT", b"1\\" * 1_000_000))
    async with door.caller() as caller:
        await caller.stored(image)


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param((0x00400555, "LO", b"xx", 60_000), id="beyond the object"),
        pytest.param((0x00400555, "UT", b"xx", 0xFFFFFFFF), id="undefined length of a text"),
        pytest.param((0x00400555, "OB", b"xx", 0xFFFFFFFE), id="four gigabytes"),
    ],
)
async def test_c6_lengths_that_lie(door, tail):
    image = door.Image(tail=door.el(*tail))
    await refused(door, image, 0xC000)


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param((0x00280010, "UL", b"\1\0\0\0"), id="Rows as UL"),
        pytest.param((0x00280011, "US", b"\1\0\0"), id="odd length"),
        pytest.param((0x00280030, "DS", b"1"), id="odd text"),
        pytest.param((0x00180015, "ZZ", b"xxxx"), id="unknown VR"),
        pytest.param((0x00200010, "SH", b""), id="unordered or empty"),
        pytest.param((0x00100020, "LO", b"OTHER "), id="duplicate"),
    ],
)
async def test_c6_tolerated_defects_are_stored_with_success(door, tail):
    image = door.Image(tail=door.el(*tail))
    async with door.caller() as caller:
        answer = await caller.store(image)
        assert answer.status == 0, answer.command.error_comment
    assert await door.visible(instance=image.uid) == 1


async def test_storing_without_the_right_is_a_rejected_context(door):
    async with door.caller("EYE") as caller:
        assert caller.peer.contexts_for(door.CT) == []


async def test_other_values_under_a_stored_uid_are_refused_where_the_device_says_so(door):
    first = door.Image()
    async with door.caller("STRICT") as caller:
        await caller.stored(first, first)  # the same again is well
    other = door.Image(uid=first.uid, study=first.study, series=first.series, pixels=b"\7\7" * 64)
    async with door.caller("STRICT") as caller:
        answer = await caller.store(other)
        assert answer.status == 0xC001
        assert tuple(answer.command.offending_elements or ()) == (INSTANCE,)
        await caller.still_works()
    assert await door.visible(study=first.study) == 1
