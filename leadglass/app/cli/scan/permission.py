"""scan init, trust, sign, plan: who permits what, before anything is contacted."""

from __future__ import annotations

import datetime as dt
import json as json_module
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from leadglass.app.audits.scope_file import ScopeFile, read_scope
from leadglass.app.audits.trust import (
    Trust,
    binds_nobody,
    check_permission,
    default_folder,
    signature_of,
)
from leadglass.app.cli.opening import JsonOption
from leadglass.app.cli.output import as_json, count, say, table
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.scope import Scope
from leadglass.exposure.targets import Targets, excluded

_TEMPLATE = """# What may be audited, by whose permission. Nothing outside of it is contacted.
# After a change: leadglass scan sign {file}

[permission]
title = {title}
authorised_by = {authorised_by}  # who answers for the networks below
contact = {contact}              # for whoever wonders about the connections
from = {begin}
until = {end}

[targets]
networks = {networks}            # 192.0.2.0/24, 192.0.2.10-192.0.2.20, 2001:db8::/120
names = {names}                  # host names, whose addresses must lie in networks if any is listed
exclude = []                     # networks, addresses and names that must not be contacted
# resolvers = ["192.0.2.53"]     # who is asked for names, over TCP, instead of the system's resolver
# ports = [104, 11112, 2761, 2762, 4242, 2345, 5678, 8104, 11113, 80, 443, 8042, 8080, 8443]

[asking]
calling_title = "LEADGLASS"      # how the audit calls itself
default_titles = false           # may products' default called AE titles be tried?
count_patients = false           # may distinct patients be counted? (hashed in memory, never written)
reverse_names = false            # may resolvers be asked which names the addresses lead back to?
sample = 0                       # from how many answers (0 to 10) kinds of personal data may be told

[pace]                           # gentle by default: these are clinical systems
per_host = 2                     # connections a second for a host, one at a time
total = 200                      # connections a second in all
concurrent = 256
connect_timeout = 3              # seconds
probe_timeout = 20               # seconds for all that one question takes
"""

ScopeArgument = Annotated[Path, typer.Argument(help="The scope file.", exists=True, dir_okay=False)]
KeysOption = Annotated[
    Path | None,
    typer.Option("--keys", help="Where keys lie; ~/.config/leadglass/scan if not given.", show_default=False),
]


def register(scan: typer.Typer) -> None:
    """Add the commands of this file."""
    scan.command()(init)
    scan.command()(trust)
    scan.command()(sign)
    scan.command()(plan)


def init(
    file: Annotated[Path, typer.Argument(help="The scope file to write.")] = Path("scope.toml"),
    network: Annotated[list[str] | None, typer.Option(help="A network or address; may be repeated.")] = None,
    name: Annotated[list[str] | None, typer.Option(help="A host name; may be repeated.")] = None,
    authorised_by: Annotated[str, typer.Option(help="Who permits the audit.")] = "",
    contact: Annotated[str, typer.Option(help="Whom to ask about it: an address or a telephone number.")] = "",
    title: Annotated[str, typer.Option(help="What the audit is called in reports.")] = "",
    days: Annotated[int, typer.Option(help="For how long from today.", min=1, max=366)] = 30,
    keys: KeysOption = None,
) -> None:
    """Write a commented scope, asking for what is missing, and sign it with a key of yours."""
    if file.exists():
        raise LeadglassError(ErrorCode.USAGE, f"{file} is there already.")
    networks = network or ([] if name else _asked("Networks or addresses, with spaces between").split())
    today = dt.datetime.now(dt.UTC).date()
    text = _TEMPLATE.format(
        file=file,
        title=_toml(title or _asked("What is the audit called", "Audit of our network")),
        authorised_by=_toml(authorised_by or _asked("Who permits it (name, function, organisation)")),
        contact=_toml(contact or _asked("Contact for questions about it")),
        begin=today,
        end=today + dt.timedelta(days=days),
        networks=json_module.dumps(networks),
        names=json_module.dumps(name or []),
    )
    made = read_scope(text.encode(), str(file))
    file.write_text(text, encoding="utf-8")
    say(f"{file} is written. Read it, and change what does not fit.")
    if binds_nobody(made.scope):
        say("It has loopback addresses only, and needs no signature.")
        return
    signature = Trust(keys or default_folder()).sign(file)
    say(f"{signature} is your signature. It binds only you who made it: the permission itself must come from whoever")
    say("answers for these networks. After a change, or the permission: leadglass scan sign")


def trust(
    key: Annotated[Path, typer.Argument(help="A public Ed25519 key, PEM.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="What you call it; the file's name if not given.")] = "",
    keys: KeysOption = None,
) -> None:
    """Believe scopes that are signed by this key."""
    called = name or key.stem
    Trust(keys or default_folder()).enrol(called, key.read_bytes())
    say(f"Scopes signed by {called} are believed from now on.")


def sign(file: ScopeArgument, keys: KeysOption = None) -> None:
    """Put your signature beside a scope file, as it is now."""
    read_scope(file.read_bytes(), str(file))
    say(f"{Trust(keys or default_folder()).sign(file)} is written.")


def plan(file: ScopeArgument, keys: KeysOption = None, json: JsonOption = False) -> None:
    """What would be contacted, how often, for how long; contacts nothing."""
    scope_file, who = permitted(file, keys)
    scope = scope_file.scope
    targets = Targets(scope, seed=0)
    left_out = excluded(scope)
    addresses = targets.addresses - left_out
    doors = (addresses + len(scope.names)) * len(scope.ports)
    by_rate = doors / scope.pace.total
    if_silent = doors * scope.pace.connect_timeout / scope.pace.concurrent
    facts = {
        "title": scope_file.title,
        "signed_by": who,
        "addresses": addresses,
        "excluded": left_out,
        "names": len(scope.names),
        "ports": list(scope.ports),
        "connections": doors,
        "seconds": round(by_rate),
        "seconds_if_silent": round(max(by_rate, if_silent)),
        "pace": asdict(scope.pace),
        "resolvers": [resolver.label for resolver in scope.resolvers],
        "reverse_names": scope.reverse_names,
    }
    if json:
        as_json(facts)
        return
    rows = [
        ("Permission", f"{scope.authorised_by}, signed by {who or 'nobody (loopback only)'}"),
        ("Addresses", f"{addresses:,}, and {count(len(scope.names), 'name', 'names')}; {left_out:,} excluded"),
        ("Ports", ", ".join(map(str, scope.ports))),
        (
            "Knocks",
            f"{doors:,} connections, at most {scope.pace.total:g} a second and {scope.pace.per_host:g} for a host",
        ),
        ("Takes", f"{_span(by_rate)}; {_span(max(by_rate, if_silent))} if most addresses are silent"),
        ("Then", "each open port is asked by up to fifteen connections, one at a time"),
        ("Names", _names_of(scope)),
        ("Patients", "distinct ones are counted" if scope.count_patients else "are not counted"),
    ]
    table(scope_file.title, ("", ""), rows)


def _names_of(scope: Scope) -> str:
    whom = ", ".join(resolver.label for resolver in scope.resolvers) or "the system's resolver"
    wanted = ["the names above"] * bool(scope.names) + ["the names of what is open"] * scope.reverse_names
    return f"{whom} is asked for {' and '.join(wanted)}" if wanted else "nobody is asked for any"


def permitted(file: Path, keys: Path | None) -> tuple[ScopeFile, str]:
    """A scope that may be used now, and who signed it. Raises LeadglassError."""
    data = file.read_bytes()
    scope_file = read_scope(data, str(file))
    beside = signature_of(file)
    signature = beside.read_bytes() if beside.exists() else None
    who = check_permission(scope_file.scope, data, signature, Trust(keys or default_folder()), time.time())
    return scope_file, who


def _asked(question: str, usual: str | None = None) -> str:
    if not os.isatty(0):
        raise LeadglassError(ErrorCode.USAGE, f'Nobody is there to ask "{question}": give it as an option.')
    return str(typer.prompt(question, default=usual))


def _toml(text: str) -> str:
    return json_module.dumps(text, ensure_ascii=False)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
