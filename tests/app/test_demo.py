"""`leadglass demo`: made once, filled through its own port, served again at once; never on somebody's archive."""

import datetime as dt
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import archives
import httpx
import pytest
from commanding import leadglass

from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.app.namespaces import enclosing

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(450)  # it sends 434 images and is looked at from outside, beside other tests


def demo(folder, *words, port=0, before=()):
    ports = ["--port", str(port or archives.free_port()), "--web-port", str(archives.free_port())]
    ports += ["--viewer-port", str(archives.free_port()), "--shares-port", str(archives.free_port())]
    command = [*before, sys.executable, "-m", "leadglass.app", "demo", "--home", str(folder), *ports, *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "demo"
    process = demo(folder, "--no-serve")
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert "Sent 434 objects." in out
    assert "a stranger gets nowhere" in out
    return folder


@pytest.fixture
def running(made):
    """The demo, served again: what it printed until it said how to stop it."""
    process = demo(made)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    yield lines
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.slow
def test_it_holds_every_sample(made):
    stats = leadglass("stats", "--json", home=Home(made / "archive")).json
    assert (stats["patients"], stats["studies"], stats["instances"]) == (14, 23, 434)


@pytest.mark.slow
def test_pages_and_viewer_stand_apart(made, running):
    pages, viewer, shares = read_config(Home(made / "archive").config).web
    assert (pages.serves, viewer.serves, shares.serves) == ("archive", "viewer", "shares")
    asked = {item.serves: httpx.get(item.label, headers={"accept": "text/html"}) for item in (pages, viewer)}
    assert [answer.status_code for answer in asked.values()] == [303, 303]
    shown = httpx.get(viewer.label + "/sign-in", headers={"accept": "text/html"})
    assert (shown.status_code, "No study is open here" in shown.text) == (403, True)


@pytest.mark.slow
def test_the_people_it_prints_can_sign_in_at_the_address_it_prints(made, running):
    text = "".join(running)
    (address,) = re.findall(r"In a browser: (\S+)", text)
    people = dict(re.findall(r"^    (\w+) +((?:[a-z]+-){6}\d{6})$", text, re.MULTILINE))
    assert people.keys() == {"chief", "doctor", "tech", "audit"}
    for name, password in people.items():
        origin = {"origin": address.rstrip("/"), "sec-fetch-site": "same-origin"}
        answer = httpx.post(address + "sign-in", data={"name": name, "password": password}, headers=origin)
        assert (answer.status_code, "__Host-lg=" in answer.headers["set-cookie"]) == (303, True), name


@pytest.mark.slow
@pytest.mark.interop("dcmtk")
def test_the_lines_it_prints_can_be_pasted(made, running, dcmtk, tmp_path):
    assert not any("Sent" in line for line in running)  # not filled again
    lines = [line.strip() for line in running if re.match(r"  \S", line)]  # further in stand the people
    for line in lines:
        words = shlex.split(re.sub(r"\s{2,}\(.*", "", line))
        if words[0] == "curl" or words[0].startswith("lg_"):
            continue
        if words[0] == ".venv/bin/leadglass":
            assert leadglass(*words[1:]).code == 0
            continue
        command = [dcmtk.tool(words[0]), *words[1:]]
        done = subprocess.run(command, capture_output=True, timeout=100, cwd=tmp_path, check=False)
        assert (done.returncode == 0) is ("STRANGER" not in words), line
    assert len(list(tmp_path.iterdir())) == 122  # what getscu fetched


@pytest.mark.slow
@pytest.mark.interop("namespaces", "iproute2")
def test_a_neighbour_gets_nowhere_in_it(made):
    inside = (*enclosing(), "sh", "-c", 'ip link set lo up; exec "$@"', "sh")
    process = demo(made, "--no-serve", before=inside)
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert re.search(r"from this machine and from [0-9.]+ in a network namespace.*a stranger gets nowhere", out)


@pytest.mark.slow
def test_its_overrides_begin_anew(made):
    home = Home(made / "archive")
    text = home.config.read_text()
    home.config.write_text(re.sub(r"(?m)^until = .*$", "until = 2020-01-01", text))
    process = demo(made, "--no-serve")
    _, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    today = dt.datetime.now(dt.UTC).date()
    assert all(override.until > today for override in read_config(home.config).overrides)


def test_an_archive_that_is_no_demo_is_not_served_as_one(tmp_path):
    home = archives.make(tmp_path, [])
    before = home.config.read_text()
    done = leadglass("demo", "--home", tmp_path, "--no-serve")
    assert done.code == 2
    assert "no demo" in done.err
    (tmp_path / "made").touch()
    assert leadglass("demo", "--home", tmp_path, "--no-serve").code == 2
    assert home.config.read_text() == before


def test_a_port_that_is_taken_is_named_without_a_trace(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        process = demo(tmp_path / "demo", "--no-serve", port=port)
        _, err = process.communicate(timeout=100)
    assert process.returncode == 8
    assert f"port {port}" in err
    assert "Traceback" not in err


def lines_for_curl(running):
    return [line.strip().partition("        (")[0] for line in running if line.strip().startswith("curl -sK")]


def test_its_curl_lines_work_as_pasted(running, made, tmp_path):
    found = lines_for_curl(running)
    assert len(found) >= 2
    assert (made / "curl.conf").stat().st_mode & 0o077 == 0
    for line in found:
        if "zip" in line:
            continue
        done = subprocess.run(["bash", "-c", line], check=False, capture_output=True, text=True, cwd=ROOT, timeout=30)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout), line
    assert not any("Bearer" in line for line in found)
