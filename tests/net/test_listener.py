"""Who gets in when it is crowded: limits per address and in all, places kept for devices, and nobody locked out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leadglass.net.connection import Connection
from leadglass.net.doorkeeper import Doorkeeper, DoorLimits
from leadglass.net.handler import CloseReason
from leadglass.net.sockets import peer_of
from leadglass.wire.ul.codec import encode
from leadglass.wire.ul.pdu import AssociateAC, AssociateRJ
from leadglass.wire.ul.timings import Timings

DEVICE, STRANGER = "127.0.0.7", "127.0.0.9"


def door(**changes: int) -> Doorkeeper[int]:
    limits = {"total": 8, "reserved": 3, "per_unknown_address": 2, "per_device_address": 4, "lingering": 2}
    return Doorkeeper(DoorLimits(**{**limits, "overload": 1, **changes}), lambda address: address == DEVICE)


def test_the_oldest_pending_of_an_address_gives_way() -> None:
    keeper = door()
    assert [keeper.enter(n, STRANGER).evicted for n in range(4)] == [None, None, 0, 1]
    assert keeper.enter(9, "10.0.0.1").evicted is None
    assert len(keeper) == 3


def test_admitted_ones_never_give_way() -> None:
    keeper = door()
    keeper.enter(1, DEVICE)
    keeper.answered(1, admitted=True)
    assert all(keeper.enter(n, DEVICE).evicted != 1 for n in range(2, 20))


def test_strangers_cannot_take_the_reserved_places() -> None:
    keeper = door()
    entries = [keeper.enter(n, f"10.0.0.{n}") for n in range(7)]
    assert [entry.allowed for entry in entries] == [True] * 5 + [False] * 2
    assert keeper.enter(10, DEVICE).allowed


def test_a_device_without_room_is_told_to_come_later() -> None:
    keeper = door(total=3, reserved=1)
    for number in range(3):
        keeper.enter(number, DEVICE)
        keeper.answered(number, admitted=True)
    entry = keeper.enter(7, DEVICE)
    assert (entry.allowed, entry.overloaded) == (True, True)
    assert not keeper.enter(8, DEVICE).allowed  # the places for telling are few, too
    keeper.leave(7)
    keeper.leave(0)
    assert not keeper.enter(9, DEVICE).overloaded


def test_refused_ones_hold_no_place_and_linger_only_so_many() -> None:
    keeper = door()
    cut_off = []
    for number in range(5):
        assert keeper.enter(number, DEVICE).allowed
        cut_off.append(keeper.answered(number, admitted=False))
    assert len(keeper) == 0
    assert cut_off == [None, None, 0, 1, 2]


def test_leaving_twice_does_no_harm() -> None:
    keeper = door()
    keeper.enter(1, DEVICE)
    keeper.answered(1, admitted=False)
    keeper.leave(1)
    keeper.leave(1)
    assert keeper.answered(1, admitted=False) is None
    assert len(keeper) == 0


def test_addresses_are_plain() -> None:
    assert peer_of(("::ffff:192.0.2.1", 5, 0, 0)) == ("192.0.2.1", 5)
    assert peer_of(("fe80::1%eth0", 5, 0, 2)) == ("fe80::1", 5)
    assert peer_of("") == ("", 0)


async def test_a8_stalled_peers_up_to_every_limit_and_a_device_still_gets_in(lab: Any) -> None:
    limits = DoorLimits(total=12, reserved=4, per_unknown_address=5, per_device_address=4)
    listener = await lab.listen(door=limits, admission=lambda address: address == DEVICE, timings=Timings())
    stalled = [await lab.peer(listener, source=STRANGER) for _ in range(8)]
    stalled += [await lab.peer(listener, source=f"127.0.1.{n}") for n in range(8)]
    stalled += [await lab.peer(listener, source=DEVICE) for _ in range(8)]
    for _ in range(3):
        await lab.echo_works(listener, source=DEVICE)
    assert len(listener.connections) <= limits.total + limits.lingering


async def test_the_handler_may_turn_a_peer_away_before_reading_it(lab: Any) -> None:
    class Choosy(lab.Recorder):  # type: ignore[misc, name-defined]
        def connected(self, conn: Connection) -> bool:
            super().connected(conn)
            return conn.peer_address != STRANGER

    listener = await lab.listen(Choosy)
    peer = await lab.peer(listener, source=STRANGER)
    assert await peer.rest() == b""
    assert (await (await lab.next_handler()).end())[0] is CloseReason.DROPPED
    assert listener.connections == frozenset()
    await lab.echo_works(listener)


async def test_overload_is_transient(lab: Any) -> None:
    limits = DoorLimits(total=2, reserved=1)
    listener = await lab.listen(door=limits, admission=lambda address: True)
    for _ in range(2):
        assert isinstance(await (await lab.peer(listener)).associate(), AssociateAC)
    assert await (await lab.peer(listener)).associate() == AssociateRJ(2, 3, 2)


async def test_refused_callers_do_not_lock_out_their_address(lab: Any) -> None:
    class Refuses(lab.Recorder):  # type: ignore[misc, name-defined]
        def association_requested(self, conn: Connection, request: Any) -> None:
            if request.calling_ae == "GOOD":
                super().association_requested(conn, request)
            else:
                conn.reject(1, 1, 3)

    limits = DoorLimits(total=6, reserved=3, per_unknown_address=2, per_device_address=2, lingering=3)
    listener = await lab.listen(Refuses, door=limits, admission=lambda address: True)
    for _ in range(20):
        assert await (await lab.peer(listener)).associate() == AssociateRJ(1, 1, 3)  # and it never closes
    good = type(lab.REQUEST)("ARCHIVE", "GOOD", lab.REQUEST.contexts, lab.REQUEST.user)
    assert isinstance(await (await lab.peer(listener)).associate(good), AssociateAC)
    assert len(listener.connections) <= 4


async def test_requests_in_one_breath_with_the_connection(lab: Any) -> None:
    """A burst from one device's address: all are served."""
    listener = await lab.listen(admission=lambda address: True)
    peers = [await lab.peer(listener) for _ in range(40)]
    for peer in peers:
        peer.writer.write(encode(lab.REQUEST))
    assert all(isinstance(pdu, AssociateAC) for pdu in await asyncio.gather(*(peer.read_pdu() for peer in peers)))


async def test_an_address_in_use_is_an_error_at_once(lab: Any) -> None:
    from leadglass.net.listener import listen

    listener = await lab.listen()
    with pytest.raises(OSError, match="in use"):
        await listen("127.0.0.1", listener.port, lab.Recorder)
