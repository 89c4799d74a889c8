"""The state table is the standard's, and an action exists for each of its cells."""

from __future__ import annotations

from pynetdicom.fsm import TRANSITION_TABLE

from leadglass.wire.ul.association import _ACTIONS
from leadglass.wire.ul.states import TABLE, Action, Evt, State


def test_equal_to_the_table_of_another_implementation() -> None:
    other = {
        (State[state.upper()], Evt[event.upper()]): Action(action.replace("_", "-").upper())
        for (event, state), action in TRANSITION_TABLE.items()
    }
    assert dict(TABLE) == other


def test_every_pdu_has_a_cell_wherever_the_transport_is_open() -> None:
    """No bytes of a peer can meet a blank cell (states 1 and 4 read nothing)."""
    received = (Evt.EVT3, Evt.EVT4, Evt.EVT6, Evt.EVT10, Evt.EVT12, Evt.EVT13, Evt.EVT16, Evt.EVT17, Evt.EVT19)
    reading = set(State) - {State.STA1, State.STA4}
    assert {(s, e) for s in reading for e in received} <= set(TABLE)


def test_every_action_is_used_and_done() -> None:
    assert set(TABLE.values()) == set(Action) == set(_ACTIONS)
