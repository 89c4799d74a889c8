"""An archive for measuring: made new, one plain device on loopback, served as anybody serves one. FOLDER PORT"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from leadglass.app.archive import open_archive
from leadglass.app.cli.opening import keys_of, operator
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.app.making import Plan, make_archive
from leadglass.core.device import Device, Endpoint
from leadglass.core.principal import Right

OVERRIDES = (
    ("running-as-root", "measuring", ""),
    ("no-recovery-kit", "measuring", ""),
    ("plain-retrieve", "measuring", "bench"),
)


def make(folder: Path, port: int) -> Home:
    """The archive below `folder`, not yet served."""
    home = Home(folder / "archive")
    plan = Plan(folder / "key" / "master.key", port=port, overrides=OVERRIDES)
    make_archive(home, plan)
    config = read_config(home.config)
    rights = frozenset({Right.ECHO, Right.STORE, Right.FIND, Right.RETRIEVE, Right.RECEIVE})
    sink = Endpoint("127.0.0.1", int(os.environ.get("BENCH_SINK_PORT", "11199")), "SINK", tls=False)
    with open_archive(home, config, keys_of(home, config)) as archive:
        bench = Device("bench", ("BENCH",), ("127.0.0.1/32",), rights, plain=True, destinations=("sink",))
        archive.devices.enrol(operator(), bench)
        receiver = Device("sink", ("SINK",), ("127.0.0.1/32",), rights, plain=True, listens=sink)
        archive.devices.enrol(operator(), receiver)
    return home


def main() -> None:
    home = make(Path(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.executable, [sys.executable, "-m", "leadglass.app", "serve", "--home", str(home.root)])


if __name__ == "__main__":
    main()
