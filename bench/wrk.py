"""Load by wrk: GETs over 8 connections, taken in turns from a list of paths.

Headers, a token among them, go to wrk in a script that lies in a private folder, not in its arguments. Every answer
counts for its status and all together for their length; what is in them is looked at by `fetch`, before and after.
"""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 8
_SCRIPT = """
local paths = {{ {paths} }}
local headers = {{ {headers} }}
local requests, turn = {{}}, 0
function init(args)
  for i, path in ipairs(paths) do requests[i] = wrk.format("GET", path, headers) end
end
function request()
  turn = turn % #requests + 1
  return requests[turn]
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('{{"requests": %d, "bytes": %d, "us": %d, "p95_us": %d, "errors": %d}}\\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(95),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests per second, milliseconds at the 95th percentile, bytes of an answer on average."""

    rate: float
    p95: float
    size: float


def load(base: str, paths: Sequence[str], headers: Sequence[str], seconds: int, least: int) -> Load:
    """Ask for `paths` below `base` for some seconds. RuntimeError if an answer is no 2xx or they are shorter than
    `least` bytes on average."""
    url = urlsplit(base)
    named = ", ".join(f"[{_lua(name)}] = {_lua(value)}" for name, value in (line.split(": ", 1) for line in headers))
    script = _SCRIPT.format(paths=", ".join(_lua(url.path + path) for path in paths), headers=named)
    with tempfile.TemporaryDirectory(prefix="leadglass-wrk-") as folder:
        file = Path(folder, "load.lua")
        file.write_text(script)
        command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--timeout", "20s", "-s", str(file)]
        printed = subprocess.run(
            [*command, f"{url.scheme}://{url.netloc}"], check=True, capture_output=True, timeout=seconds + 60
        ).stdout
    found = json.loads(printed.splitlines()[-1])
    size = found["bytes"] / max(1, found["requests"])
    if found["errors"] or not found["requests"] or size < least:
        raise RuntimeError(f"{url.netloc}: {found['errors']} errors, {size:.0f} bytes instead of {least}: {paths[0]}")
    return Load(found["requests"] / found["us"] * 1e6, found["p95_us"] / 1000, size)


class Session:
    """One connection that is kept open."""

    def __init__(self, base: str, headers: Sequence[str]) -> None:
        url = urlsplit(base)
        self._path = url.path
        self._headers = dict(line.split(": ", 1) for line in headers)
        if url.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._connection = http.client.HTTPSConnection(url.netloc, timeout=300, context=context)
        else:
            self._connection = http.client.HTTPConnection(url.netloc, timeout=300)

    def get(self, path: str) -> bytes:
        """The body. RuntimeError unless it is a 200."""
        self._connection.request("GET", self._path + path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return body

    def close(self) -> None:
        self._connection.close()


def fetch(base: str, path: str, headers: Sequence[str]) -> bytes:
    """One body. RuntimeError unless it is a 200."""
    session = Session(base, headers)
    try:
        return session.get(path)
    finally:
        session.close()


def _lua(text: str) -> str:
    return json.dumps(text)
