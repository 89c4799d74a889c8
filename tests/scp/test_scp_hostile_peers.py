"""Peers that misbehave at the served door: each is dealt with, and never at the cost of another."""

import asyncio
import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from leadglass.app.live import read_live
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.net.requestor import dial
from leadglass.wire.dimse.commands import c_echo_rq, c_store_rq, decode_command, encode_command
from leadglass.wire.ul.codec import encode
from leadglass.wire.ul.pdu import AssociateAC, UserIdentity

CLIENT_HELLO = bytes.fromhex("160301020001fc0303") + bytes(504)


def p_data(*values: tuple[int, int, bytes]) -> bytes:
    """A P-DATA-TF of (context, control header, data) values."""
    body = b"".join((len(data) + 2).to_bytes(4, "big") + bytes([pc, control]) + data for pc, control, data in values)
    return b"\4\0" + len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: archive\r\n\r\n", id="http"),
        pytest.param(CLIENT_HELLO, id="tls"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2p1\r\n" + bytes(20), id="ssh"),
        pytest.param(bytes(range(255, 0, -1)) * 40, id="noise"),
    ],
)
async def test_a7_what_is_no_dicom_is_cut_off(door, raw):
    async with door.raw() as peer:
        await peer.send(raw)
        assert await peer.cut_off()
    await door.serves()


async def test_a8_silent_peers_do_not_keep_a_device_out(door):
    async with contextlib.AsyncExitStack() as stack:
        for number in range(80):
            peer = await stack.enter_async_context(door.raw())
            if number % 2:
                await peer.send(encode(door.request())[:40])
        await door.serves()


def process_of(door):
    """Resident memory in bytes, open files and threads of the DICOM process."""
    proc = Path("/proc") / str(read_live(door.server.home.live)["pid"])
    status = (proc / "status").read_text()
    resident, threads = (int(status.split(name)[1].split()[0]) for name in ("VmRSS:", "Threads:"))
    return resident * 1024, len(list((proc / "fd").iterdir())), threads


async def test_a9_many_come_and_go_and_the_archive_is_as_before(door):
    async def come_and_go(connections, associations):
        for _ in range(connections):
            async with door.raw():
                pass
        for _ in range(associations):
            async with door.caller("CT") as caller:
                assert await caller.peer.echo() == 0

    await come_and_go(200, 20)
    memory, files, threads = process_of(door)
    await come_and_go(3_000, 300)
    await door.serves()
    after = process_of(door)
    assert after[0] - memory < 16 * 1024 * 1024
    assert after[1] - files < 20  # the last ones may still be closing
    assert after[2] - threads <= 4
    await door.serves()


async def test_stalled_peers_never_delay_another(door):
    image = door.Image(pixels=bytes(200_000))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(8):
            peer = await stack.enter_async_context(door.associated())
            await peer.send(door.store_message(image, image.data())[:100_000])
        for _ in range(3):
            await door.serves()
    assert await door.visible(instance=image.uid) == 0


STORE = encode_command(c_store_rq(1, "1.2.840.10008.5.1.4.1.1.2", "1.2.3"))
ECHO = encode_command(c_echo_rq(1))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(p_data((9_9, 3, ECHO)), id="context that was not accepted"),
        pytest.param(p_data((2, 3, ECHO)), id="even context"),
        pytest.param(b"\4\0\0\0\0\4\0\0\0\0", id="value of length 0"),
        pytest.param(b"\4\0\0\0\0\5\0\0\0\1\1", id="value of length 1"),
        pytest.param(b"\4\0\0\0\0\7\0\0\xff\xff\1\3\0", id="value beyond its PDU"),
        pytest.param(b"\4\0\xff\xff\xff\xff", id="PDU of four gigabytes"),
        pytest.param(p_data((1, 2, b"data")), id="data without command"),
        pytest.param(p_data((3, 3, STORE), (1, 3, ECHO)), id="command where data is due"),
        pytest.param(p_data((3, 3, STORE), (5, 2, b"data")), id="data in another context"),
        pytest.param(p_data((1, 3, b"garbage" * 4)), id="command that is none"),
        pytest.param(p_data((1, 3, b"")), id="command that is empty"),
    ],
)
async def test_a11_broken_messages_end_the_association(door, raw):
    async with door.associated() as peer:
        await peer.send(raw)
        assert await peer.cut_off()
    await door.serves()


async def test_a11_data_before_an_association(door):
    async with door.raw() as peer:
        await peer.send(p_data((1, 3, ECHO)))
        assert await peer.cut_off()


async def test_a11_a_second_request_on_one_association(door):
    async with door.associated() as peer:
        await peer.send(encode(door.request()))
        assert await peer.cut_off()
    await door.serves()


async def test_a12_a_command_that_never_ends(door):
    async with door.associated() as peer:
        for _ in range(100):
            await peer.send(p_data((3, 1, bytes(10_000))))
        assert await peer.cut_off()
    await door.serves()


async def test_a13_a_store_without_a_data_set_is_refused_and_life_goes_on(door):
    image = door.Image()
    async with door.associated() as peer:
        await peer.send(door.store_without_data(image))
        assert (await peer.response()).status == 0x0212
        await peer.send(door.store_message(image, image.data(), 2))
        assert (await peer.response()).status == 0


async def test_a13_a_second_request_before_the_answer_breaks_the_window(door):
    image = door.Image()
    begun = door.store_message(image, image.data())
    async with door.associated() as peer:
        await peer.send(begun + begun)
        assert await peer.cut_off()


@pytest.mark.parametrize("reset", [True, False])
async def test_a13_an_end_after_each_fragment(door, reset):
    image = door.Image()
    whole = door.store_message(image, image.data(), max_pdu=128)
    ends = [0]
    while ends[-1] < len(whole):
        ends.append(ends[-1] + 6 + int.from_bytes(whole[ends[-1] + 2 : ends[-1] + 6], "big"))
    for end in ends[1:-1]:
        async with door.associated() as peer:
            await peer.send(whole[:end])
            if reset:
                peer.reset()
            else:
                await peer.send(b"\7\0\0\0\0\4\0\0\0\0")
    assert await door.visible(instance=image.uid) == 0
    async with door.caller() as caller:
        await caller.stored(image)


async def test_a13_large_objects_cut_off_on_their_way(door):
    image = door.Image(pixels=os.urandom(1 << 20) * 24)
    whole = door.store_message(image, image.data(), max_pdu=131_072)
    for share in (0.2, 0.4, 0.6, 0.8, 0.99):
        async with door.associated() as peer:
            await peer.send(whole[: int(len(whole) * share)])
            peer.reset()
    assert await door.visible(instance=image.uid) == 0
    await door.serves()


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [0, 300, 16_000])
async def test_a17_user_identity_in_the_clear_is_ignored(door, kind, size):
    secret = b"<saml:Assertion>" + b"\0\xff" * (size // 2)
    asked = door.request("CT")
    asked = replace(asked, user=replace(asked.user, identity=UserIdentity(kind, False, secret, secret[:size])))
    async with asyncio.timeout(20):
        peer = await dial("127.0.0.1", door.server.port, asked)
        assert await peer.echo() == 0
        await peer.release()


async def test_a17_a_credential_of_64_kilobytes_admits_nobody(door):
    asked = door.request("CT")
    asked = replace(asked, user=replace(asked.user, identity=UserIdentity(2, True, b"x" * 30_000, b"y" * 30_000)))
    async with door.raw() as peer:
        await peer.send(encode(asked))
        assert await peer.cut_off()
    await door.serves()


TITLES = [
    "../secret/X",
    ";rm -rf",
    "`id`",
    " " * 16,
    "",
    "M\xfcller",
    "\x1b[31mRED",
    "ct",
    "CT2",
    "CT\r\n",
    "WS' OR 1=1",
]


async def rejection(door, calling, called="LEADGLASS"):
    raw = bytearray(encode(door.request("CT", "LEADGLASS")))
    raw[10:26] = called.encode("latin-1").ljust(16)
    raw[26:42] = calling.encode("latin-1").ljust(16)
    async with door.raw() as peer:
        await peer.send(bytes(raw))
        kind, body = await peer.read()
        return (kind, *body[1:4])


@pytest.mark.parametrize("called", ["LEADGLASS", "SOMEBODY", "../x"])
@pytest.mark.parametrize("title", TITLES)
async def test_b2_titles_that_are_nobodys_learn_nothing(door, title, called):
    assert await rejection(door, title, called) == (3, 1, 1, 3)


@pytest.mark.parametrize("called", [*TITLES, "leadglass", "LEADGLAS"])
async def test_b2_a_wrong_called_title_is_told_to_enrolled_devices(door, called):
    assert await rejection(door, "CT", called) == (3, 1, 1, 7)


@pytest.mark.parametrize("title", ["CT", " CT", "CT\0\0", "  CT  "])
async def test_b2_outer_spaces_and_nuls_do_not_count(door, title):
    assert (await rejection(door, title))[0] == 2


async def test_what_is_no_request_of_a_context_is_unrecognised(door):
    async with door.associated() as peer:
        await peer.send(door.message(door.FIND_CONTEXT, c_store_rq(5, door.CT, "1.2.3"), b"12345678"))
        answer = await peer.response()
        assert (answer.status, answer.message_id_responded_to) == (0x0211, 5)
        await peer.send(door.message(door.ECHO_CONTEXT, c_echo_rq(6)))
        assert (await peer.response()).status == 0


async def test_a_disabled_device_is_out_at_once_and_the_others_stay(door):
    async with door.caller("LOST") as lost, door.caller("CT") as other:
        assert await lost.peer.echo() == 0
        door.change("lost", enabled=False)
        with pytest.raises(LeadglassError) as caught:
            async with asyncio.timeout(20):
                while True:  # a second or two until the running archive has seen it
                    assert await lost.peer.echo() == 0
        assert caught.value.code is ErrorCode.UNAVAILABLE
        assert await other.peer.echo() == 0
    assert await rejection(door, "LOST") == (3, 1, 1, 3)
    door.change("lost", enabled=True)
    assert (await rejection(door, "LOST"))[0] == 2


async def test_the_answer_of_an_association_is_what_was_asked(door):
    async with door.raw() as peer:
        await peer.send(encode(door.request()))
        answer = await peer.pdu()
        assert isinstance(answer, AssociateAC)
        assert [context.result for context in answer.contexts] == [0] * 6
        await peer.send(door.message(door.ECHO_CONTEXT, c_echo_rq(9)))
        kind, body = await peer.read()
        assert (kind, decode_command(body[6:]).message_id_responded_to) == (4, 9)


async def test_a_device_has_a_limit_of_its_own_and_its_places_come_back(door):
    for _ in range(2):
        async with door.caller("FEW") as first, door.caller("FEW") as second:
            assert await rejection(door, "FEW") == (3, 2, 3, 2)
            assert await first.peer.echo() == await second.peer.echo() == 0
            await door.serves()


async def test_idle_time_is_each_devices_own(door):
    async with door.associated("CT") as patient:
        async with door.associated("BRIEF") as brief:
            assert await brief.cut_off()
        await patient.send(door.message(door.ECHO_CONTEXT, c_echo_rq(1)))
        assert (await patient.response()).status == 0
