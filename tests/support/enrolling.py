"""Enrolling as an administrator does: the command line in a process of its own, and the files it hands over."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from leadglass.app.home import Home

SECONDS = 60
RIGHTS = ("echo", "store", "find", "retrieve", "receive")


def leadglass(
    home: Home, *words: object, typed: str = "", check: bool = True, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command on an archive; `typed` is its standard input. With `check`, it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "leadglass.app", *map(str, words), "--home", str(home.root)],
        input=typed,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    assert not check or done.returncode == 0, f"{words} ended {done.returncode}: {done.stdout}{done.stderr}"
    return done


@dataclass(frozen=True)
class Papers:
    """What a device was handed: PEM files."""

    key: Path
    certificate: Path
    authority: Path

    @property
    def dcmtk(self) -> list[Path | str]:
        """As DCMTK's options."""
        return ["+tls", self.key, self.certificate, "+cf", self.authority]


def enrol_with_certificate(home: Home, folder: Path, title: str, *words: object) -> Papers:
    """`device add --cert` for a device on loopback with every right a device may have."""
    name = title.lower()
    rights = [word for right in RIGHTS for word in ("--right", right)]
    words = ("--title", title, "--network", "127.0.0.1", *rights, "--cert", "--out", folder, *words)
    leadglass(home, "device", "add", name, *words)
    return Papers(folder / f"{name}.key.pem", folder / f"{name}.cert.pem", folder / f"{name}.ca.pem")


def until(true: object, seconds: float = 20.0) -> bool:
    """Ask again and again until it is so: the server follows what another process decided within some seconds."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.1)):
        if true():  # type: ignore[operator]
            return True
        pause.wait(0.1)
    return False
