"""This archive as a server of the laboratory: to a stranger it has to look closed."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from leadglass.app.archive import open_archive
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.app.judging import KIT_TESTED
from leadglass.app.lab.places import DICOM, WEB
from leadglass.app.lab.truth import Place, Truth
from leadglass.app.making import Plan, make_archive
from leadglass.app.master import open_keys
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.findings import Rung

_ADDRESS = "127.77.1.1"
_RISKS = ("running-as-root", "no-recovery-kit")

PLACES = (
    Place("leadglass", _ADDRESS, DICOM, "this archive, DICOM", Truth(Rung.PDU_ANSWERED)),
    Place("leadglass-web", _ADDRESS, WEB, "this archive, DICOMweb", Truth(Rung.PORT_OPEN)),
)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[None]:
    """An archive in `folder`, made if it is not there, served until the end of this. Raises LeadglassError."""
    home = Home(folder / "archive")
    if not home.root.exists():
        _make(folder, home)
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "leadglass.app", "serve", "--home", str(home.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        if "Listening" not in server.stdout.readline():
            raise LeadglassError(ErrorCode.UNAVAILABLE, "The laboratory's archive did not start: its ports are taken.")
        yield
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
            server.wait()


def _make(folder: Path, home: Home) -> None:
    overrides = tuple((risk, "the laboratory: nobody's images", "") for risk in _RISKS)
    plan = Plan(
        folder / "key" / "master.key",
        host=_ADDRESS,
        port=DICOM,
        web_port=WEB,
        web_tls=False,
        demo=True,
        overrides=overrides,
    )
    make_archive(home, plan)
    config = read_config(home.config)
    with open_archive(home, config, open_keys(config.key_source, home, lambda prompt: "")) as archive:
        archive.state.put_setting(KIT_TESTED, "laboratory")
