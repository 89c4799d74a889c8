"""Each rule that keeps an archive from starting: a situation that breaks it, the safe one, and the override's end."""

from __future__ import annotations

import ast
import dataclasses
import datetime as dt
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from leadglass.access import devices as access_devices
from leadglass.app import safety
from leadglass.app.config import MAX_OVERRIDE_DAYS, Config, KeySource, ListenerConfig, Override
from leadglass.app.facts import HostFacts, PathFact
from leadglass.app.safety import Situation, risks, standing
from leadglass.app.web_config import WebListener
from leadglass.core.device import CertificateBinding, Device, DeviceCertificate, Endpoint
from leadglass.core.principal import Right

TODAY = dt.date(2026, 3, 1)
HOME = PathFact(Path("/var/lib/leadglass"), 1000, 0o700, Path("/var/lib/leadglass"), "ext4")
KEY = PathFact(Path("/etc/leadglass/master.key"), 1000, 0o600, Path("/etc/leadglass/master.key"), "ext4")
HOST = HostFacts(
    uid=1000, core_dumps=False, own_addresses=("127.0.0.1", "10.0.0.2", "::1"), gateways=("10.0.0.1", "172.17.0.1")
)
CERTIFICATE = DeviceCertificate(CertificateBinding.PINNED, "ab" * 32)
CONFIG = Config(("LEADGLASS",), KeySource("file", str(KEY.path)), (ListenerConfig("0.0.0.0", 2762),))
SAFE = Situation(CONFIG, HOST, HOME, KEY, (), recovery_kit_tested=True, demo_keys=False, today=TODAY)


def with_host(**changes: object) -> Situation:
    return dataclasses.replace(SAFE, host=dataclasses.replace(HOST, **changes))


def listening(host: str, *, tls: bool = False, own: tuple[str, ...] = HOST.own_addresses) -> Situation:
    config = dataclasses.replace(CONFIG, listeners=(ListenerConfig(host, 104, tls),))
    return dataclasses.replace(with_host(own_addresses=own), config=config)


def with_device(**changes: object) -> Situation:
    fields: dict[str, object] = {"networks": ("10.0.0.7",), "rights": frozenset({Right.STORE}), **changes}
    return dataclasses.replace(SAFE, devices=(Device("ct", ("CT",), **fields),))  # type: ignore[arg-type]


def home(**changes: object) -> Situation:
    return dataclasses.replace(SAFE, home=dataclasses.replace(HOME, **changes))


def key(**changes: object) -> Situation:
    return dataclasses.replace(SAFE, key_file=dataclasses.replace(KEY, **changes))


def demo(situation: Situation, host: str = "127.0.0.1", *, made: bool = True) -> Situation:
    config = dataclasses.replace(situation.config, demo=True, listeners=(ListenerConfig(host, 11112, False),))
    return dataclasses.replace(situation, config=config, demo_keys=made)


def inside(**changes: object) -> Situation:
    fields: dict[str, object] = {"path": HOME.path / "vault", "real": HOME.real / "vault", **changes}
    return dataclasses.replace(SAFE, inside=(dataclasses.replace(HOME, **fields),))


def listener_key(**changes: object) -> Situation:
    return dataclasses.replace(SAFE, listener_keys=(dataclasses.replace(KEY, **changes),))


def taking(*overrides: tuple[str, str]) -> Situation:
    taken = tuple(Override(risk, "test", TODAY, device) for risk, device in overrides)
    return dataclasses.replace(SAFE, config=dataclasses.replace(CONFIG, overrides=taken))


def internal(situation: Situation, *networks: str) -> Situation:
    return dataclasses.replace(situation, config=dataclasses.replace(situation.config, internal_networks=networks))


def listens(host: str, *, tls: bool) -> Situation:
    return with_device(listens=Endpoint(host, 104, "CT", tls))


def until(days: int) -> Situation:
    override = Override("core-dumps", "test", TODAY + dt.timedelta(days=days))
    return dataclasses.replace(SAFE, config=dataclasses.replace(CONFIG, overrides=(override,)))


def web(host: str, *, tls: bool) -> Situation:
    return dataclasses.replace(SAFE, config=dataclasses.replace(CONFIG, web=(WebListener(host, 8080, tls),)))


def client_authority(mode: int) -> Situation:
    return dataclasses.replace(SAFE, client_authorities=(dataclasses.replace(KEY, mode=mode),))


def demo_on_the_web(host: str) -> Situation:
    situation = demo(SAFE)
    config = dataclasses.replace(situation.config, web=(WebListener(host, 8443), WebListener(unix="/run/x", tls=False)))
    return dataclasses.replace(situation, config=config)


HOSTS_16 = tuple(f"10.0.1.{number}" for number in range(16))

# (risk, situations that have it, situations beside it that do not)
RULES: dict[str, tuple[list[Situation], list[Situation]]] = {
    "plain-listener-global": (
        [
            listening("8.8.8.8"),
            listening("2606:4700::1111"),
            listening("0.0.0.0", own=("127.0.0.1", "8.8.8.8")),
            listening("::", own=("::1", "2606:4700::1111")),
            listening("100.64.0.9"),  # shared with other customers of the provider
        ],
        [
            listening("8.8.8.8", tls=True),
            listening("0.0.0.0"),
            listening("127.0.0.1", own=("8.8.8.8",)),
            listening("192.168.3.4"),
            listening("fd00::1"),
            listening("::1"),
        ],
    ),
    "plain-http": (
        [web("192.168.3.4", tls=False), web("0.0.0.0", tls=False), web("8.8.8.8", tls=False)],
        [web("127.0.0.1", tls=False), web("::1", tls=False), web("8.8.8.8", tls=True)],
    ),
    "writable-by-others": ([client_authority(0o664), client_authority(0o646)], [client_authority(0o644)]),
    "device-networks-wide": (
        [
            with_device(networks=("10.0.0.0/23",)),
            with_device(networks=("192.168.1.0/24", "192.168.2.1")),
            with_device(networks=("fd00::/63",)),
        ],
        [
            with_device(networks=("192.168.1.0/24",)),
            with_device(networks=("fd00::/64",)),
            with_device(networks=("10.9.0.0/16",), certificates=(CERTIFICATE,)),
            with_device(networks=("10.0.0.0/16",), enabled=False),
        ],
    ),
    "device-gateway": (
        [with_device(networks=("10.0.0.1",)), with_device(networks=("172.17.0.0/24",))],
        [with_device(networks=("10.0.0.1",), certificates=(CERTIFICATE,)), with_device(networks=("10.0.0.3",))],
    ),
    "plain-gateway": (
        [with_device(networks=("10.0.0.1",), certificates=(CERTIFICATE,), plain=True)],
        [with_device(networks=("10.0.0.3",), certificates=(CERTIFICATE,), plain=True)],
    ),
    "plain-range": (
        [with_device(networks=("10.0.1.0/30",), plain=True), with_device(networks=(*HOSTS_16, "10.0.2.1"), plain=True)],
        [with_device(networks=HOSTS_16, plain=True), with_device(networks=("10.0.1.0/30",))],
    ),
    "plain-outside": (
        [
            with_device(networks=("8.8.8.8",), plain=True),
            with_device(networks=("100.64.0.9",), plain=True),
            with_device(networks=("169.254.0.9",), plain=True),
        ],
        [
            with_device(networks=("8.8.8.8",)),
            with_device(networks=("192.168.0.9",), plain=True),
            internal(with_device(networks=("100.64.0.9",), plain=True), "100.64.0.0/24"),
        ],
    ),
    "listens-plain-outside": (
        [listens("8.8.8.8", tls=False)],
        [listens("8.8.8.8", tls=True), listens("10.0.0.7", tls=False)],
    ),
    "listens-nowhere": (
        [listens("169.254.0.9", tls=True), listens("0.0.0.0", tls=True)],
        [listens("10.0.0.7", tls=True)],
    ),
    "internal-range-wide": (
        [internal(SAFE, "0.0.0.0/0"), internal(SAFE, "10.0.0.0/8", "::/0")],
        [internal(SAFE, "100.64.0.0/16", "fd00::/48")],
    ),
    "readable-by-others": (
        [
            home(mode=0o750),
            home(mode=0o701),
            key(mode=0o640),
            key(mode=0o604),
            inside(mode=0o755),
            listener_key(mode=0o644),
        ],
        [home(mode=0o500), key(mode=0o400), dataclasses.replace(SAFE, key_file=None)],
    ),
    "foreign-owner": ([home(owner=0), key(owner=33), inside(owner=33)], [SAFE, inside()]),
    "network-file-system": (
        [
            home(file_system="nfs4"),
            key(file_system="cifs"),
            home(file_system="fuse.sshfs"),
            inside(file_system="nfs"),  # a vault mounted from elsewhere
        ],
        [home(file_system="xfs")],
    ),
    "symbolic-link": (
        [home(real=Path("/srv/pacs")), key(real=Path("/tmp/key")), inside(real=Path("/mnt/big/vault"))],
        [SAFE, inside()],
    ),
    "below-web-root": (
        [
            home(path=Path("/var/www/pacs"), real=Path("/var/www/pacs")),
            home(real=Path("/srv/www/pacs")),
            inside(real=Path("/srv/www/vault")),
            with_host(web_roots=(Path("/var/lib"),)),
            key(path=Path("/home/ann/public_html/k"), real=Path("/home/ann/public_html/k")),
        ],
        [home(path=Path("/var/wwwx"), real=Path("/var/wwwx"))],
    ),
    "key-inside-archive": (
        [key(path=HOME.path / "master.key", real=HOME.real / "master.key"), key(real=HOME.real / "a" / "b")],
        [key(path=Path("/var/lib/leadglass-key"), real=Path("/var/lib/leadglass-key"))],
    ),
    "running-as-root": ([with_host(uid=0)], [with_host(uid=1)]),
    "core-dumps": ([with_host(core_dumps=True)], [SAFE]),
    "sample-device": (
        [with_device(sample=True), demo(with_device(sample=True), made=False)],
        [with_device(), demo(with_device(sample=True))],
    ),
    "demo-keys": (
        [dataclasses.replace(SAFE, demo_keys=True)],
        [SAFE, demo(dataclasses.replace(SAFE, demo_keys=True))],
    ),
    "demo-beyond-loopback": (
        [demo(SAFE, "10.0.0.2"), demo(SAFE, "0.0.0.0"), demo_on_the_web("10.0.0.2")],
        [demo(SAFE), demo(SAFE, "::1"), demo_on_the_web("127.0.0.1")],
    ),
    "override-unclear": (
        [
            taking(("core-dump", "")),
            taking(("plain-retrieve", "")),
            taking(("running-as-root", ""), ("running-as-root", "")),
            taking(("demo-keys", "")),
        ],
        [taking(("plain-retrieve", "ct"), ("plain-retrieve", "mr")), taking(("core-dumps", ""))],
    ),
    "no-recovery-kit": ([dataclasses.replace(SAFE, recovery_kit_tested=False)], [SAFE]),
    "override-too-long": ([until(MAX_OVERRIDE_DAYS + 1)], [until(MAX_OVERRIDE_DAYS), until(-1)]),
}
NEVER_OVERRIDDEN = {"sample-device", "demo-keys", "override-too-long", "override-unclear"}

BREAKING = [
    pytest.param(name, item, id=f"{name}-{i}") for name, (bad, _) in RULES.items() for i, item in enumerate(bad)
]
BESIDE = [
    pytest.param(name, item, id=f"{name}-{i}") for name, (_, fine) in RULES.items() for i, item in enumerate(fine)
]


def overridden(situation: Situation, risk: str, end: dt.date, device: str = "") -> Situation:
    config = situation.config
    overrides = (*config.overrides, Override(risk, "for a test", end, device))
    return dataclasses.replace(situation, config=dataclasses.replace(config, overrides=overrides))


def names(situation: Situation) -> set[str]:
    return {risk.name for risk in standing(situation)}


def named_in(module: ModuleType) -> set[str]:
    """The names of all risks that a module can find."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in {"Risk", "DeviceRisk"}
        if call.args and isinstance(call.args[0], ast.Constant)
    }


def test_every_rule_has_its_situations() -> None:
    at_enrolment_only = {"device-ambiguous"}  # two devices that nothing tells apart: tests/access
    assert named_in(safety) | named_in(access_devices) == RULES.keys() | at_enrolment_only


def test_every_risk_but_those_that_are_never_taken_has_one_override() -> None:
    assert RULES.keys() - NEVER_OVERRIDDEN | {"plain-retrieve"} == safety.OVERRIDABLE


def test_a_linked_home_is_told_once() -> None:
    linked = inside(real=Path("/srv/pacs/vault"))
    linked = dataclasses.replace(linked, home=dataclasses.replace(HOME, real=Path("/srv/pacs")))
    assert [risk.name for risk in standing(linked)] == ["symbolic-link"]


def test_overrides_in_force_are_those_whose_end_has_not_come() -> None:
    assert [item.risk for item in safety.overrides_in_force(until(0))] == ["core-dumps"]
    assert safety.overrides_in_force(until(-1)) == []


def test_the_safe_situation_starts() -> None:
    assert risks(SAFE) == []
    assert risks(with_device()) == []


@pytest.mark.parametrize(("name", "situation"), BREAKING)
def test_a_risk_keeps_the_archive_from_starting(name: str, situation: Situation) -> None:
    found = [risk for risk in standing(situation) if risk.name == name]
    assert found
    for risk in found:
        assert risk.sentence.endswith(".")
        assert risk.mend


@pytest.mark.parametrize(("name", "situation"), BESIDE)
def test_what_lies_beside_a_risk_does_not(name: str, situation: Situation) -> None:
    assert name not in names(situation)


@pytest.mark.parametrize(("name", "situation"), BREAKING)
def test_an_override_takes_its_own_risk_until_its_last_day(name: str, situation: Situation) -> None:
    taken = name not in NEVER_OVERRIDDEN
    assert (name in names(overridden(situation, name, TODAY))) is not taken
    assert name in names(overridden(situation, name, TODAY - dt.timedelta(days=1)))
    assert name in names(overridden(situation, "another-risk", TODAY))
    assert name in {risk.name for risk in risks(overridden(situation, name, TODAY))}  # shown by status all the same


def test_an_override_for_one_device_is_not_for_another() -> None:
    situation = with_device(networks=("10.0.0.0/16",))
    end = TODAY + dt.timedelta(days=10)
    assert "device-networks-wide" not in names(overridden(situation, "device-networks-wide", end, "ct"))
    assert "device-networks-wide" in names(overridden(situation, "device-networks-wide", end, "mr"))


def test_an_override_of_a_device_is_none_for_the_archive() -> None:
    assert "running-as-root" in names(overridden(with_host(uid=0), "running-as-root", TODAY, "ct"))


def test_an_override_beyond_its_longest_term_takes_nothing() -> None:
    far = overridden(with_host(uid=0), "running-as-root", TODAY + dt.timedelta(days=MAX_OVERRIDE_DAYS + 1))
    assert "override-too-long" in names(far)


def test_two_risks_are_both_told() -> None:
    both = dataclasses.replace(with_host(uid=0, core_dumps=True), recovery_kit_tested=False)
    assert names(both) >= {"running-as-root", "core-dumps", "no-recovery-kit"}
