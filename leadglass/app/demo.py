"""`leadglass demo`: an archive with sample studies, filled through its own DICOM port, served on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

from leadglass.app.archive import open_archive
from leadglass.app.audits.own import look
from leadglass.app.config import MAX_OVERRIDE_DAYS, read_config
from leadglass.app.demo_people import INSTITUTION, SECOND_FACTOR, renew
from leadglass.app.demo_steps import browser_steps, dicom_steps, looking_steps, web_steps
from leadglass.app.home import Home
from leadglass.app.judging import DEMO_KEYS, KIT_TESTED
from leadglass.app.making import Plan, make_archive
from leadglass.app.master import open_keys
from leadglass.app.samples import Sample, generate
from leadglass.core.device import Device, Endpoint
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import DEVICE_RIGHTS, Principal, PrincipalKind, Right
from leadglass.core.tokens import Scope
from leadglass.dicom.part10 import split_file
from leadglass.net.proposals import association_request, propose_one
from leadglass.net.requestor import dial
from leadglass.services.tokens import Wanted

Say = Callable[[str], None]
TITLE = "LEADGLASS"
DEVICE, DEVICE_TITLE = "demo", "DEMO"
RECEIVER_PORT = 11113
PROGRAM = "demo-web"
CURL = "curl.conf"
MADE = "made"  # a file beside the archive, when everything in it was made
_OPERATOR = Principal(PrincipalKind.OPERATOR, "operator:demo", frozenset(Right), "local")
_OVERRIDES = (
    ("running-as-root", "a demo on one machine, with invented patients", ""),
    ("no-recovery-kit", "a demo: nobody needs its images back", ""),
    ("plain-retrieve", "a demo: DCMTK's tools call from this machine", DEVICE),
)


def run(folder: Path, port: int, web_ports: tuple[int, int, int], *, keep_serving: bool, say: Say) -> None:
    """Make the demo in `folder` if it is not there, fill it, and serve it until interrupted.

    `web_ports` are those of the pages, of the viewer and of shares; 0: none.
    """
    home = Home(folder / "archive")
    filled = folder / "filled"
    if home.root.exists():
        _look_at(folder, home)
    else:
        _make(folder, home, port, web_ports)
    if os.geteuid() == 0:
        say("You are root: the demo takes that risk by its override running-as-root. A real archive does not start so.")
    token, people = _token(folder, home), _people(home)
    with _serving(home) as server:
        if not filled.exists():
            filled.write_text(asyncio.run(_fill(_port_of(home), say)), "ascii")
        study_uid = filled.read_text("ascii")
        say(dicom_steps(home, _port_of(home), DEVICE_TITLE, TITLE, study_uid))
        if token:
            say(web_steps(folder / CURL, read_config(home.config).web[0].label, token, study_uid))
        say(looking_steps(home))
        say(_seen_by_strangers(home))
        if people:
            say(browser_steps(read_config(home.config).web[0].port, people))
        if keep_serving:
            say("Stop it with Ctrl-C.")
            with contextlib.suppress(KeyboardInterrupt):
                server.wait()


def _look_at(folder: Path, home: Home) -> None:
    """Nothing but a demo is served as one, and one that was not made to its end is not mended. USAGE."""
    if not (folder / MADE).exists() or not read_config(home.config).demo:
        comment = f"{folder} holds no demo that was made to its end. Give another --home, or remove that folder."
        raise LeadglassError(ErrorCode.USAGE, comment)
    _renew(home)


def _renew(home: Home) -> None:
    """Overrides end after 90 days; those of a demo begin anew with each start, and are journalled as ever."""
    until = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=MAX_OVERRIDE_DAYS)).isoformat()
    text = home.config.read_text("utf-8")
    home.config.write_text(re.sub(r"(?m)^until = \S+$", f"until = {until}", text), "utf-8")


def _make(folder: Path, home: Home, port: int, web_ports: tuple[int, int, int]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    plan = Plan(
        folder / "key" / "master.key",
        TITLE,
        port=port,
        web_port=web_ports[0],
        viewer_port=web_ports[1],
        shares_port=web_ports[2],
        web_tls=False,
        demo=True,
        overrides=_OVERRIDES,
    )
    make_archive(home, plan)
    with home.config.open("a", encoding="utf-8") as config_file:
        config_file.write(SECOND_FACTOR)
    config = read_config(home.config)
    rights = frozenset(DEVICE_RIGHTS)
    receiver = Endpoint("127.0.0.1", RECEIVER_PORT, DEVICE_TITLE, tls=False)
    device = Device(
        DEVICE,
        (DEVICE_TITLE,),
        ("127.0.0.1/32",),
        rights,
        listens=receiver,
        plain=True,
        sample=True,
        institution=INSTITUTION,
    )
    with open_archive(home, config, open_keys(config.key_source, home, lambda prompt: "")) as archive:
        archive.devices.enrol(_OPERATOR, device)
        archive.state.put_setting(DEMO_KEYS, secrets.token_hex(8))
        archive.state.put_setting(KIT_TESTED, "demo")
    (folder / MADE).touch()


@contextlib.contextmanager
def _serving(home: Home) -> Iterator[subprocess.Popen[str]]:
    # Our own interpreter and module, as a user would start it.
    server = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "leadglass.app", "serve", "--home", str(home.root)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        if "Listening" not in server.stdout.readline():
            raise LeadglassError(ErrorCode.UNAVAILABLE, "The demo archive did not start; the reason stands above.")
        yield server
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
            server.wait()


def _token(folder: Path, home: Home) -> str:
    """A new token for programs, the one of the start before revoked; empty without a web listener. For curl it lies in
    a file too: what stands in a command line is seen by everybody on the machine."""
    config = read_config(home.config)
    if not config.web:
        return ""
    with open_archive(home, config, open_keys(config.key_source, home, lambda prompt: "")) as archive:
        with contextlib.suppress(LeadglassError):  # there was none
            archive.tokens.revoke(_OPERATOR, PROGRAM)
        text = archive.tokens.issue(_OPERATOR, Wanted(PROGRAM, frozenset({Scope.READ, Scope.STORE}))).text
    file = folder / CURL
    file.touch(mode=0o600)
    file.write_text(f'header = "Authorization: Bearer {text}"\n', "ascii")
    return text


def _people(home: Home) -> dict[str, str]:
    """The demo's accounts and their new passwords; none without pages."""
    config = read_config(home.config)
    if not config.web:
        return {}
    with open_archive(home, config, open_keys(config.key_source, home, lambda prompt: "")) as archive:
        return renew(archive, _OPERATOR)


def _seen_by_strangers(home: Home) -> str:
    """The archive's own audit, in a sentence. UNSAFE if a stranger gets anywhere."""
    config = read_config(home.config)
    with open_archive(home, config, open_keys(config.key_source, home, lambda prompt: "")) as archive:
        devices = archive.devices.devices(_OPERATOR)
    seen = look(config, devices)
    if not seen.clean:
        raise LeadglassError(ErrorCode.UNSAFE, "A stranger gets into the demo: leadglass scan self says how.")
    tried = sum(impostor.let_in is not None for impostor in (*seen.impostors, *seen.elsewhere.impostors))
    source = seen.elsewhere.source
    where = f"this machine and from {source} in a network namespace" if source else "this machine"
    return (
        f"\nAs a stranger sees it (leadglass scan self): {len(seen.results)} listeners tried from {where}, and {tried} "
        "enrolled titles from wrong addresses: a stranger gets nowhere."
    )


def _port_of(home: Home) -> int:
    return read_config(home.config).listeners[0].port


async def _fill(port: int, say: Say) -> str:
    """Send the samples; the UID of a study to try."""
    say("Making the sample studies and sending them to the archive's own DICOM port ...")
    count, first = 0, ""
    by_study = itertools.groupby(generate(), key=lambda sample: sample.dataset.StudyInstanceUID)
    for study_uid, samples in by_study:
        first = first or str(study_uid)
        count += await _send(port, list(samples))
    say(f"Sent {count} objects.")
    return first


async def _send(port: int, samples: list[Sample]) -> int:
    wanted = dict.fromkeys((sample.dataset.SOPClassUID, (_syntax(sample),)) for sample in samples)
    contexts = propose_one([(str(sop_class), syntaxes) for sop_class, syntaxes in wanted])
    peer = await dial("127.0.0.1", port, association_request(TITLE, DEVICE_TITLE, contexts))
    for sample in samples:
        context = peer.context_for(str(sample.dataset.SOPClassUID), (_syntax(sample),))
        answer = await peer.store(context, str(sample.dataset.SOPInstanceUID), _encoded(sample))
        if answer.status:
            comment = f"The archive refused a sample with 0x{answer.status:04X}."
            raise LeadglassError(ErrorCode.INTERNAL, comment)
    await peer.release()
    return len(samples)


def _syntax(sample: Sample) -> str:
    return str(sample.dataset.file_meta.TransferSyntaxUID)


def _encoded(sample: Sample) -> bytes:
    """The data set as it goes over the network: without File Meta, deflated where the syntax says so."""
    out = BytesIO()
    sample.dataset.save_as(out, enforce_file_format=True)
    content = out.getvalue()
    return content[split_file(content).data_set_offset :]
