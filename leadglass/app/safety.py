"""Unsafe settings do not start. Facts in, risks out; each names the risk and the mend, and has at most one override."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from leadglass.access.devices import device_risks, internal_network_risk
from leadglass.app.config import MAX_OVERRIDE_DAYS, Config, Override
from leadglass.app.facts import NETWORK_FILE_SYSTEMS, HostFacts, PathFact
from leadglass.app.web_roots import USUAL
from leadglass.core.device import Device

PLAIN_RETRIEVE = "plain-retrieve"  # of one device: find and retrieve without TLS
OVERRIDABLE = frozenset(
    {
        PLAIN_RETRIEVE,
        *("plain-listener-global", "plain-http", "internal-range-wide", "demo-beyond-loopback"),
        *("device-networks-wide", "device-gateway", "plain-gateway", "plain-range", "plain-outside"),
        *("listens-nowhere", "listens-plain-outside"),
        *(
            "readable-by-others",
            "writable-by-others",
            "foreign-owner",
            "network-file-system",
            "symbolic-link",
            "below-web-root",
        ),
        *("key-inside-archive", "running-as-root", "core-dumps", "no-recovery-kit"),
    }
)  # everything else is mended, not taken
WEB_FOLDERS = frozenset({"public_html", "htdocs", "wwwroot"})


@dataclass(frozen=True, slots=True)
class Risk:
    """A reason not to start. `name` is what an override names; an empty `mend` never occurs."""

    name: str
    sentence: str
    mend: str
    device: str = ""
    overridable: bool = True


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the rules look at."""

    config: Config
    host: HostFacts
    home: PathFact
    key_file: PathFact | None
    devices: tuple[Device, ...]
    recovery_kit_tested: bool
    demo_keys: bool
    today: dt.date
    inside: tuple[PathFact, ...] = ()  # folders and files of the home: each may be a link or a mount of its own
    listener_keys: tuple[PathFact, ...] = ()  # private keys that the configuration names
    client_authorities: tuple[PathFact, ...] = ()  # whose certificates let in: files that the configuration names

    @property
    def made_by_demo(self) -> bool:
        """Whether the demo made it: to say so in the configuration is not enough."""
        return self.config.demo and self.demo_keys


def risks(situation: Situation) -> list[Risk]:
    """All risks, overridden ones included."""
    return [risk for rule in _RULES for risk in rule(situation)]


def standing(situation: Situation) -> list[Risk]:
    """The risks that keep the archive from starting: no override of theirs is in force."""
    return [risk for risk in risks(situation) if not _taken(risk, situation)]


def overrides_in_force(situation: Situation) -> list[Override]:
    """Those whose end has not come, whether their risk is there or not."""
    return [item for item in situation.config.overrides if situation.today <= item.until]


def _taken(risk: Risk, situation: Situation) -> bool:
    if not risk.overridable:
        return False
    return situation.config.overridden(risk.name, situation.today, risk.device) is not None


def _listeners(situation: Situation) -> Iterator[Risk]:
    for listener in situation.config.listeners:
        if listener.tls:
            continue
        address = ipaddress.ip_address(listener.host)
        reachable = situation.host.own_addresses if address.is_unspecified else (listener.host,)
        exposed = [text for text in reachable if _beyond(text)]
        if exposed:
            yield Risk(
                "plain-listener-global",
                f"The plain DICOM listener on {listener.host} port {listener.port} can be reached from the internet.",
                "Set tls = true for it, or bind it to a loopback or private address.",
            )


def _web_listeners(situation: Situation) -> Iterator[Risk]:
    for item in situation.config.web:
        if not item.tls and not item.unix and not ipaddress.ip_address(item.host).is_loopback:
            yield Risk(
                "plain-http",
                f"The web listener {item.label} has no TLS: tokens and images could be read on their way.",
                "Set tls = true for it, or bind it to a loopback address.",
            )


def _client_authorities(situation: Situation) -> Iterator[Risk]:
    for fact in situation.client_authorities:
        if fact.mode & 0o022:
            yield Risk(
                "writable-by-others",
                f"The client_ca {fact.path} can be written by other users: they could let themselves in.",
                f"chmod go-w {fact.path}",
            )


def _beyond(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return (
        address.is_global or address in ipaddress.ip_network("100.64.0.0/10")
        if address.version == 4
        else (address.is_global)
    )


def _device_rules(situation: Situation) -> Iterator[Risk]:
    for device in situation.devices:
        if not device.enabled:
            continue
        for risk in device_risks(device, situation.host.gateways, situation.config.internal_networks):
            yield Risk(risk.name, f"Device {device.name}: {risk.sentence}", risk.mend, device.name)


def _internal_networks(situation: Situation) -> Iterator[Risk]:
    for text in situation.config.internal_networks:
        risk = internal_network_risk(text)
        if risk is not None:
            yield Risk(risk.name, risk.sentence, risk.mend)


def _places(situation: Situation) -> Iterator[Risk]:
    places = [("archive", situation.home), *(("archive's", fact) for fact in situation.inside)]
    if situation.key_file is not None:
        places.append(("key file", situation.key_file))
    places += [("listener's key", fact) for fact in situation.listener_keys]
    for what, fact in places:
        if fact.mode & 0o077:
            yield Risk(
                "readable-by-others",
                f"The {what} {fact.path} can be read by other users of this machine.",
                f"chmod go-rwx {fact.path}",
            )
        if fact.owner != situation.host.uid:
            yield Risk("foreign-owner", f"The {what} {fact.path} belongs to another user.", f"chown it: {fact.path}")
        if fact.file_system in NETWORK_FILE_SYSTEMS:
            yield Risk(
                "network-file-system",
                f"The {what} {fact.path} lies on a network file system ({fact.file_system}).",
                "Move it to a local disk: locks and syncs do not hold there.",
            )
        if fact.real != _expected(fact, situation.home):
            yield Risk(
                "symbolic-link",
                f"The {what} {fact.path} is reached through a symbolic link.",
                f"Name it directly: {fact.real}",
            )
        if _served(fact.real, (*USUAL, *situation.host.web_roots)):
            yield Risk(
                "below-web-root",
                f"The {what} {fact.path} lies below a folder that a web server serves.",
                "Move it elsewhere, for example to /var/lib/leadglass.",
            )


def _expected(fact: PathFact, home: PathFact) -> Path:
    """Where it lies if no link leads elsewhere; a link to the home itself is told once, for the home."""
    if fact is not home and fact.path.is_relative_to(home.path):
        return home.real / fact.path.relative_to(home.path)
    return fact.path


def _served(path: Path, roots: Iterable[Path]) -> bool:
    if any(path.is_relative_to(root) for root in roots):
        return True
    return bool(WEB_FOLDERS & set(path.parts))


def _master_key(situation: Situation) -> Iterator[Risk]:
    key = situation.key_file
    if key is not None and key.real.is_relative_to(situation.home.real):
        yield Risk(
            "key-inside-archive",
            "The master key lies inside the archive's own folder: whoever copies one has both.",
            "Move the key file out of the archive and name its new place under [keys].",
        )


def _process(situation: Situation) -> Iterator[Risk]:
    if situation.host.uid == 0:
        yield Risk(
            "running-as-root",
            "The archive would run as root.",
            "Run it as a user of its own: useradd --system leadglass.",
        )
    if situation.host.core_dumps:
        yield Risk("core-dumps", "A crash could write keys and images to a core dump.", "Run with 'ulimit -c 0'.")


def _samples(situation: Situation) -> Iterator[Risk]:
    if situation.config.demo:
        web = [item.host for item in situation.config.web if not item.unix]
        hosts = [*(item.host for item in situation.config.listeners), *web]
        beyond = [host for host in hosts if not ipaddress.ip_address(host).is_loopback]
        if beyond:
            yield Risk(
                "demo-beyond-loopback",
                f"The demo would listen on {beyond[0]}: its devices are known to everybody.",
                "Listen on 127.0.0.1, or make an archive of your own with 'leadglass init'.",
            )
    if situation.made_by_demo:
        return
    for device in situation.devices:
        if device.sample:
            yield Risk(
                "sample-device",
                f"Device {device.name} was made for the demo and its secrets are not secret.",
                f"leadglass device remove {device.name}",
                overridable=False,
            )
    if situation.demo_keys:  # and demo = true was taken out of the configuration
        yield Risk(
            "demo-keys",
            "This archive was made by the demo, with a recovery kit that nobody keeps.",
            "Make a new one with 'leadglass init'.",
            overridable=False,
        )


def _recovery(situation: Situation) -> Iterator[Risk]:
    if not situation.recovery_kit_tested:
        yield Risk(
            "no-recovery-kit",
            "No recovery kit was exported and tested: a lost key file would lose every image.",
            "leadglass keys export KIT, then leadglass keys test KIT.",
        )


def _override_terms(situation: Situation) -> Iterator[Risk]:
    latest = situation.today + dt.timedelta(days=MAX_OVERRIDE_DAYS)
    for override in situation.config.overrides:
        if override.until > latest:
            yield Risk(
                "override-too-long",
                f"The override of {override.risk} ends more than {MAX_OVERRIDE_DAYS} days from now.",
                f"Set its end to {latest.isoformat()} or before.",
                overridable=False,
            )
    for sentence in _unclear_overrides(situation.config.overrides):
        yield Risk("override-unclear", sentence, "Correct it in leadglass.toml.", overridable=False)


def _unclear_overrides(overrides: Iterable[Override]) -> Iterator[str]:
    """One override takes one risk, by its right name."""
    for (risk, device), count in Counter((item.risk, item.device) for item in overrides).items():
        if risk not in OVERRIDABLE:
            yield f"There is no risk '{risk}' that could be overridden."
        elif risk == PLAIN_RETRIEVE and not device:
            yield f"The override {PLAIN_RETRIEVE} must name its device."
        elif count > 1:
            yield f"The risk '{risk}' is overridden {count} times."


_RULES: tuple[Callable[[Situation], Iterator[Risk]], ...] = (
    _listeners,
    _web_listeners,
    _client_authorities,
    _internal_networks,
    _device_rules,
    _places,
    _master_key,
    _process,
    _samples,
    _recovery,
    _override_terms,
)
