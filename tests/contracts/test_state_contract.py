"""What every implementation of core.ports.State owes."""

from pathlib import Path

import pytest

from leadglass.core.device import Device
from leadglass.core.ports import State, TrashedInstance, TrashedStudy
from leadglass.core.principal import Right
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.tokens import ApiToken, Grant, Scope
from leadglass.index.state import SqliteState

KEY = bytes(range(32))


def sqlite_state(folder: Path) -> State:
    return SqliteState(folder / "state.db", KEY)


@pytest.fixture(params=[sqlite_state])
def reopen(request, tmp_path):
    """Opens the state anew, as a new process would."""
    opened = []

    def again():
        while opened:
            opened.pop().close()
        opened.append(request.param(tmp_path))
        return opened[-1]

    yield again
    while opened:
        opened.pop().close()


def device(name="ct1", **changes):
    values = {"ae_titles": ("CT1",), "networks": ("10.0.0.7",), "rights": frozenset({Right.ECHO, Right.STORE})}
    return Device(name, **(values | changes))


def test_devices_survive_and_are_listed_by_name(reopen):
    state = reopen()
    state.put_device(device("us"))
    state.put_device(device("ct1", issuer="Ospedale", character_set="ISO_IR 144"))
    state = reopen()
    assert [one.name for one in state.devices()] == ["ct1", "us"]
    assert state.device("ct1") == device("ct1", issuer="Ospedale", character_set="ISO_IR 144")
    assert state.device("nobody") is None


def test_a_decision_is_settled_once(reopen):
    assert reopen().settle("authority", "first") == "first"
    assert reopen().settle("authority", "second") == "first"
    assert reopen().setting("authority") == "first"


def test_putting_a_device_again_replaces_it(reopen):
    state = reopen()
    state.put_device(device(networks=("10.0.0.7", "10.0.0.8")))
    state.put_device(device(rights=frozenset({Right.ECHO})))
    assert state.devices() == [device(rights=frozenset({Right.ECHO}))]


def test_removing_a_device_tells_whether_it_was_there(reopen):
    state = reopen()
    state.put_device(device())
    assert state.remove_device("ct1")
    assert not state.remove_device("ct1")
    assert reopen().devices() == []


def test_the_rights_epoch_grows_with_every_change_of_a_device_and_lasts(reopen):
    state = reopen()
    epochs = [state.rights_epoch()]
    for change in (
        lambda: state.put_device(device()),
        lambda: state.put_device(device(enabled=False)),
        lambda: state.remove_device("ct1"),
    ):
        change()
        epochs.append(state.rights_epoch())
    assert epochs == sorted(set(epochs))
    assert reopen().rights_epoch() == epochs[-1]


def test_reading_changes_no_epoch(reopen):
    state = reopen()
    before = state.rights_epoch()
    state.devices(), state.trash(), state.setting("x")
    assert state.rights_epoch() == before


def test_the_trash_is_kept_until_taken_back(reopen):
    state = reopen()
    entry = TrashedStudy("1.2.3", 1_700_000_000_000_000_000, "operator", "wrong patient")
    state.put_trash(entry)
    assert reopen().trash() == [entry]
    state = reopen()
    assert state.remove_trash("1.2.3")
    assert not state.remove_trash("1.2.3")
    assert state.trash() == []


def test_instances_in_the_trash_are_kept_until_taken_back(reopen):
    state = reopen()
    entries = [TrashedInstance(f"1.2.3.{n}", "1.2", "1.2.3", n, "operator", "blurred") for n in (1, 2, 3)]
    state.put_instance_trash(entries[::-1])
    state.put_instance_trash([entries[0]])
    assert reopen().instance_trash() == entries
    state = reopen()
    before = state.rights_epoch()
    assert state.remove_instance_trash(["1.2.3.1", "1.2.3.3", "9.9"]) == 2
    assert state.instance_trash() == [entries[1]]
    assert state.trash() == []
    assert state.rights_epoch() > before


def test_settings_are_kept_by_name(reopen):
    state = reopen()
    assert state.setting("recovery-kit") is None
    state.put_setting("recovery-kit", "tested")
    state.put_setting("recovery-kit", "tested twice")
    assert reopen().setting("recovery-kit") == "tested twice"


def token(name="ci", **changes):
    values = {
        "scopes": frozenset({Scope.READ, Scope.STORE}),
        "reach": Reach(studies=frozenset({"1.2"}), patients=frozenset({("clinic", "P1"), ("", "P2")})),
        "created": 5,
        "created_by": "operator:root",
        "expires": 9,
        "digest": name.encode().ljust(32, b"d"),
    }
    return ApiToken(name, **(values | changes))


def test_tokens_survive_and_are_found_by_name_and_digest(reopen):
    state = reopen()
    state.put_token(token("web", reach=EVERYTHING))
    state.put_token(token())
    state = reopen()
    assert state.tokens() == [token(), token("web", reach=EVERYTHING)]
    assert state.token("ci") == state.token_by_digest(token().digest) == token()
    assert state.token("nobody") is None
    assert state.token_by_digest(b"x" * 32) is None


def test_a_token_is_revoked_once_and_stays_so(reopen):
    state = reopen()
    state.put_token(token())
    assert state.revoke_token("ci", 7)
    assert not state.revoke_token("ci", 8)
    assert not state.revoke_token("nobody", 8)
    assert reopen().token("ci").revoked == 7


def test_uses_go_forward_and_leave_the_epoch_alone_and_rights_do_not(reopen):
    state = reopen()
    state.put_token(token())
    epoch = state.rights_epoch()
    state.note_token_uses({"ci": 20, "gone": 1})
    state.note_token_uses({"ci": 10})
    assert state.token("ci").last_used == 20
    assert state.rights_epoch() == epoch
    for change in (
        lambda: state.revoke_token("ci", 7),
        lambda: state.put_token(token()),
        lambda: state.put_grant(Grant("ci", "1.2")),
        lambda: state.remove_grant(Grant("ci", "1.2")),
    ):
        change()
        assert state.rights_epoch() > epoch
        epoch = state.rights_epoch()


def test_grants_are_of_one_principal_study_and_patient(reopen):
    state = reopen()
    first = Grant("ci", "1.2", granted=5, granted_by="operator:root")
    state.put_grant(first)
    state.put_grant(Grant("ci", patient_id="P1", issuer="clinic", granted=6))
    state.put_grant(Grant("web", "1.2"))
    state = reopen()
    assert state.grants("ci") == [Grant("ci", patient_id="P1", issuer="clinic", granted=6), first]
    assert len(state.grants()) == 3
    state.put_grant(Grant("ci", "1.2", granted=7))
    assert len(state.grants()) == 3
    assert not state.remove_grant(Grant("ci", patient_id="P1"))
    assert state.remove_grant(Grant("ci", "1.2"))
    assert [one.patient_id for one in state.grants("ci")] == ["P1"]
