"""Making a new archive: folders, keys, configuration."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from leadglass.app.home import Home
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.keys import keyset, sources

_TEMPLATE = """# Leadglass archive. docs/configuration.md explains every key; one that is unknown stops the start.

[archive]
ae_titles = {titles}          # how this archive may be called
demo = {demo}

[keys]
source = "file"               # file, credential (systemd), fd, command or passphrase
value = {key_file}

{listeners}
{web}
[networks]
internal = []                 # ranges of yours beyond RFC 1918, for plain DICOM

{overrides}"""
_LISTENER = """[[listener]]
host = {host}               # an address of this machine
port = {port}
tls = {tls}
"""
_WEB = """[[web]]                       # the pages, for people; DICOMweb, for programs with a token too
host = {host}
port = {port}
tls = {tls}                    # plain HTTP is for loopback only
"""
_VIEWER = """
[[web]]                       # OHIF and what it reads, opened from the pages
serves = "viewer"
host = {host}
port = {port}
tls = {tls}
"""
_SHARES = """
[[web]]                       # what was shared by link, for strangers; nothing else
serves = "shares"
host = {host}
port = {port}
tls = {tls}
"""
_OVERRIDE = """[[override]]
risk = {risk}
reason = {reason}
until = {until}
{device}"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new archive is to be."""

    key_file: Path
    ae_title: str = "LEADGLASS"
    host: str = "127.0.0.1"
    port: int = 11112  # plain DICOM; 0: none
    tls_port: int = 0  # DICOM over TLS, devices show a certificate; 0: none
    web_port: int = 0  # pages and DICOMweb; 0: none
    viewer_port: int = 0  # OHIF, opened from the pages; 0: none
    shares_port: int = 0  # what was shared by link; 0: none
    web_tls: bool = True
    demo: bool = False
    overrides: tuple[tuple[str, str, str], ...] = ()  # (risk, reason, device or empty)
    override_days: int = 90


def make_archive(home: Home, plan: Plan) -> None:
    """Make the folders, a master key outside, a keyset and a configuration. USAGE if there is an archive already."""
    if home.config.exists() or home.keyset.exists():
        raise LeadglassError(ErrorCode.USAGE, f"There is an archive in {home.root} already.")
    key_file = plan.key_file.absolute()
    if key_file.resolve().is_relative_to(home.root.resolve()):
        comment = "The master key must lie outside the archive's folder: whoever copies one would have both."
        raise LeadglassError(ErrorCode.UNSAFE, comment)
    home.make()
    key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    master = sources.generate_master()
    sources.write_master_file(key_file, master)
    keyset.create(home.keyset, master)
    home.config.write_text(_configuration(plan, key_file), "utf-8")
    home.config.chmod(0o600)


def _configuration(plan: Plan, key_file: Path) -> str:
    until = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=plan.override_days)).isoformat()
    overrides = [
        _OVERRIDE.format(
            risk=_toml(risk), reason=_toml(reason), until=until, device=f"device = {_toml(device)}\n" if device else ""
        )
        for risk, reason, device in plan.overrides
    ]
    ports = ((plan.port, False), (plan.tls_port, True))
    listeners = [_LISTENER.format(host=_toml(plan.host), port=port, tls=_toml(tls)) for port, tls in ports if port]
    return _TEMPLATE.format(
        titles=_toml([plan.ae_title]),
        demo=_toml(plan.demo),
        key_file=_toml(str(key_file)),
        listeners="\n".join(listeners),
        web="".join(
            text.format(host=_toml(plan.host), port=port, tls=_toml(plan.web_tls))
            for text, port in ((_WEB, plan.web_port), (_VIEWER, plan.viewer_port), (_SHARES, plan.shares_port))
            if port and plan.web_port
        ),
        overrides="\n".join(overrides),
    )


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
