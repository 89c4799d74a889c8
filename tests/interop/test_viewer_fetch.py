"""tools/viewer takes what its pin names and nothing else: with a program that plays npm, and a package of our own."""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from leadglass.web.viewer.files import read_viewer

pytestmark = pytest.mark.interop("npm")

TOOLS = Path(__file__).parents[2] / "tools"
SCRIPT = "app.bundle.0123456789abcdef.js"
PAGE = (
    f'<script>window.PUBLIC_URL="/"</script><script defer src="/{SCRIPT}"></script>'
    '<link href="/app.bundle.css" rel="stylesheet">'
)
WITHIN = {
    "LICENSE": b"MIT",
    "dist/index.html": PAGE.encode(),
    f"dist/{SCRIPT}": b"start();\n//# sourceMappingURL=app.map\n",
    f"dist/{SCRIPT}.map": b"{}",
    "dist/app.bundle.css": b"body { color: white }",
    "dist/0123456789abcdef.wasm": b"\0asm",
    "dist/sw.js": b"importScripts('https://elsewhere.example/x.js')",
    "dist/ort/ort.js": b"model()",
    "dist/app-config.js": b"window.config = {}",
    f"dist/../../{SCRIPT}": b"out of its folder",
}


@pytest.fixture
def tools(tmp_path):
    """A copy of the tool that fetches into this folder, from an npm that hands out our package."""
    for name in ("viewer", "viewer.json"):
        (tmp_path / "tools").mkdir(exist_ok=True)
        shutil.copy(TOOLS / name, tmp_path / "tools" / name)
    (tmp_path / "leadglass" / "web" / "viewer").mkdir(parents=True)
    package = tmp_path / "package.tgz"
    with tarfile.open(package, "w:gz") as tar:
        for name, content in WITHIN.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo(f"package/dist/{'f' * 16}.wasm")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    _pin(tmp_path, package.read_bytes())
    _npm(tmp_path, f'cp "{package}" got.tgz')
    return tmp_path


def _pin(folder: Path, content: bytes) -> None:
    pin = json.loads((folder / "tools" / "viewer.json").read_text())
    pin["integrity"] = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    (folder / "tools" / "viewer.json").write_text(json.dumps(pin))


def _npm(folder: Path, does: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "npm").write_text(f"#!/bin/sh\necho x >>'{folder}/asked'\n{does}\n")
    (folder / "bin" / "npm").chmod(0o755)


def _fetch(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = ["python3", str(folder / "tools" / "viewer"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)


def test_what_a_browser_needs_is_kept_and_packed_and_the_rest_left_out(tools):
    done = _fetch(tools)
    assert done.returncode == 0, done.stderr
    dist = tools / "leadglass" / "web" / "viewer" / "dist"
    kept = {path.relative_to(dist).as_posix() for path in dist.rglob("*") if path.is_file()}
    plain = {name for name in kept if not name.endswith((".gz", ".br"))}
    assert plain == {"LICENSE", "manifest.json", "index.html", SCRIPT, "app.bundle.css", "0123456789abcdef.wasm"}
    assert {f"{SCRIPT}.gz", f"{SCRIPT}.br"} <= kept
    assert (dist / SCRIPT).read_bytes() == b"start();\n"
    page = (dist / "index.html").read_text()
    assert f'src="/{SCRIPT}"' in page
    assert "<script>" not in page  # none that the policy would have to allow
    viewer = read_viewer(dist)
    assert viewer is not None
    assert viewer.find(SCRIPT).hashed
    assert not viewer.find("index.html").hashed
    assert viewer.find("app-config.js").path.parent != dist


def test_what_has_another_digest_is_not_unpacked(tools):
    _pin(tools, b"another package")
    done = _fetch(tools)
    assert done.returncode == 1
    assert "digest" in done.stderr
    assert list((tools / "leadglass" / "web" / "viewer").iterdir()) == []


def test_what_lies_there_already_is_not_fetched_again(tools):
    _fetch(tools)
    assert _fetch(tools).returncode == 0
    assert (tools / "asked").read_text().count("x") == 1


def test_without_npm_s_answer_the_reason_is_told(tools):
    _npm(tools, "echo no network >&2; exit 1")
    done = _fetch(tools)
    assert (done.returncode, "no network" in done.stderr) == (1, True)
    assert _fetch(tools, "--if-easy").returncode == 0
