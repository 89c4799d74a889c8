"""HTTP servers side by side on the same application: `python -m bench.asgi_servers [--rounds N]`.

For docs/decisions/0009. Needs uvicorn, httptools and hypercorn beside what Leadglass needs, wrk and h2load
(Debian: wrk, nghttp2-client). One process each, uvloop, 8 connections; in turns, medians of the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from bench import peers
from bench.asgi_app import app
from bench.wrk import load

SECONDS = 2
CONNECTIONS = 8
SERVERS = ("granian", "uvicorn", "hypercorn")
CASES = (  # name, path, TLS, HTTP/2
    ("small", "/small", False, False),
    ("small, TLS", "/small", True, False),
    ("small, TLS, HTTP/2", "/small", True, True),
    ("frame", "/frame", False, False),
    ("frame, TLS", "/frame", True, False),
    ("frame, TLS, HTTP/2", "/frame", True, True),
)


def serve_granian(port: int, certificate: str, key: str) -> None:
    """Granian within this process, as the web door runs it."""
    files = {"ssl_cert": Path(certificate), "ssl_key": Path(key)} if certificate else {}
    server = Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        log_enabled=False,
        websockets=False,
        **files,  # type: ignore[arg-type]
    )
    uvloop.run(server.serve())


def command(name: str, port: int, certificate: str, key: str) -> list[str]:
    """How a server is started."""
    python = sys.executable
    if name == "granian":
        return [python, "-m", "bench.asgi_servers", "--serve", str(port), certificate, key]
    if name == "uvicorn":
        files = ["--ssl-certfile", certificate, "--ssl-keyfile", key] if certificate else []
        options = ["--loop", "uvloop", "--http", "httptools", "--log-level", "critical", "--no-access-log"]
        return [python, "-m", "uvicorn", "--port", str(port), *options, *files, "bench.asgi_app:app"]
    files = ["--certfile", certificate, "--keyfile", key] if certificate else []
    return [python, "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "-k", "uvloop", *files, "bench.asgi_app:app"]


def rate(port: int, path: str, tls: bool, http2: bool) -> float:
    """Requests per second; none may fail."""
    base, least = f"{'https' if tls else 'http'}://127.0.0.1:{port}", 512 * 1024 if path == "/frame" else 3
    if not http2:
        return load(base, [path], [], SECONDS, least).rate
    # Windows as browsers have them; a request at a time on each connection, as with HTTP/1.
    options = ["-t", "1", "-c", str(CONNECTIONS), "-D", str(SECONDS), "-w", "22", "-W", "24", "-m", "1"]
    printed = subprocess.run(["h2load", *options, base + path], check=True, capture_output=True, text=True).stdout
    succeeded = re.search(r"(\d+) succeeded, 0 failed, 0 errored", printed)
    size = re.search(r"\((\d+)\) data", printed)
    if succeeded is None or size is None or int(size[1]) < int(succeeded[1]) * least:
        raise RuntimeError(printed)
    return int(succeeded[1]) / SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve_granian(int(given.serve[0]), given.serve[1], given.serve[2])
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        certificate, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
        made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"]
        subprocess.run(
            ["openssl", "req", "-x509", *made, "-keyout", key, "-out", certificate], check=True, capture_output=True
        )
        ports = {}
        for name in SERVERS:
            for tls in (False, True):
                port = ports[name, tls] = peers.free_port()
                files = (certificate, key) if tls else ("", "")
                stack.enter_context(peers.started(command(name, port, *files), port))
        figures: dict[tuple[str, str], list[float]] = {}
        for _ in range(given.rounds):
            for case, path, tls, http2 in CASES:
                for name in SERVERS:
                    if not (http2 and name == "uvicorn"):  # it has no HTTP/2
                        figures.setdefault((case, name), []).append(rate(ports[name, tls], path, tls, http2))
    print("| requests/s | " + " | ".join(SERVERS) + " |\n|---|" + "---|" * len(SERVERS))
    for case, *_ in CASES:
        cells = [figures.get((case, name), []) for name in SERVERS]
        print(f"| {case} | " + " | ".join(f"{statistics.median(cell):,.0f}" if cell else "-" for cell in cells) + " |")


if __name__ == "__main__":
    main()
