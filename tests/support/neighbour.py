"""Run in a network namespace of its own, where it may lay lines: a neighbour looks at an archive. Prints JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

import archives
from enrolling import leadglass

from leadglass.app.audits.own import look
from leadglass.app.config import ListenerConfig, read_config
from leadglass.app.home import Home
from leadglass.app.lab.fake_scp import Behaviour, factory
from leadglass.app.namespaces import raise_loopback
from leadglass.wire.ul.pdu import AssociateRJ


def made(folder: Path, host: str) -> Home:
    """An archive that listens there, and a device that is enrolled with loopback."""
    home = archives.make(folder, [archives.device("ct")], tls=True, web_port=archives.free_port())
    text = home.config.read_text()
    text = text.replace('host = "127.0.0.1"', f'host = "{host}"')
    end = text.split("until = ")[1].split("\n")[0]
    for risk in ("plain-listener-global", "plain-outside", "plain-http"):
        text += f'\n[[override]]\nrisk = "{risk}"\nreason = "test"\nuntil = {end}\n'
    home.config.write_text(text)
    return home


def served(folder: Path, host: str) -> object:
    home = made(folder, host)
    with archives.served(home):
        return json.loads(leadglass(home, "scan", "self", "--json", check=False).stdout)


def misplaced(folder: Path) -> object:
    """Something that refuses everybody listens everywhere, where loopback is configured."""
    port = archives.free_port()
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = await loop.create_server(factory(Behaviour(rejects=AssociateRJ(1, 1, 7))), "0.0.0.0", port)
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True).start()
    assert ready.wait(20)
    config = read_config(archives.make(folder, []).config)
    config = replace(config, listeners=(ListenerConfig("127.0.0.1", port, tls=False),), web=())
    seen = look(config, [])
    return {"clean": seen.clean, "port": port, "misplaced": [service.port for service in seen.elsewhere.misplaced]}


def main(what: str, folder: Path) -> None:
    raise_loopback()
    told = misplaced(folder) if what == "misplaced" else served(folder, what)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
