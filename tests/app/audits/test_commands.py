"""leadglass scan as people and scripts use it: in a process of its own, against the laboratory."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab_turn import lab_turn

from leadglass.app.audits.sharing import Task, look_at_shard
from leadglass.core.errors import ErrorCode, LeadglassError

LAB_SECONDS = 60


def scan(*words, folder: Path, check=True, **more):
    done = subprocess.run(
        [sys.executable, "-m", "leadglass.app", "scan", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "200", "XDG_CONFIG_HOME": str(folder / "config")},
        **more,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The laboratory without its archive, and without the servers that cost seconds."""
    folder = tmp_path_factory.mktemp("commands")
    words = ["lab", "--no-archive", "--no-peers", "--fakes", "40", "--close", "tarpit", "--close", "garbage", "--json"]
    with lab_turn(), (folder / "lab.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "leadglass.app", "scan", *words], cwd=folder, stdout=log, stderr=log, text=True
        )
        try:
            until = time.monotonic() + LAB_SECONDS
            while "]" not in (folder / "lab.log").read_text():
                assert process.poll() is None, (folder / "lab.log").read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
            yield folder
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


def test_the_walk_through(lab):
    scope = lab / "leadglass-lab" / "scope.toml"
    owners = lab / "leadglass-lab" / "owners.csv"
    assert "127" not in scan("history", folder=lab).stdout
    plan = json.loads(scan("plan", scope, "--json", folder=lab).stdout)
    assert plan["connections"] == (512 + 64 + 40) * 3
    first = scan("run", scope, "--json", folder=lab, check=False)
    assert first.returncode == 1
    assert first.stdout.endswith("}\n"), first.stderr
    told = json.loads(first.stdout)
    assert told["complete"]
    assert len(told["services"]) == 16 + 40
    shown = scan("run", scope, folder=lab, check=False)
    assert shown.returncode == 1
    assert "2,400 studies" in shown.stdout
    assert "What to do first" in shown.stdout
    changed = json.loads(scan("diff", "--json", folder=lab).stdout)
    assert {change["kind"] for change in changed["changes"]} == {"still-open"}
    written = scan(
        "report", "--owners", owners, *forms("html", "csv", "jsonl", "sarif", "defectdojo"), folder=lab
    ).stdout
    paths = [lab / line for line in written.split()]
    assert len(paths) == 5
    assert all(path.stat().st_size > 1000 and path.stat().st_mode & 0o077 == 0 for path in paths)
    notices = scan("notify", "--owners", owners, folder=lab).stdout
    assert "drafted" in notices
    assert "sent" in scan("notify", "--set", "Praxis Erfunden=sent", folder=lab).stdout
    assert scan("notify", "--set", "Nobody=sent", folder=lab, check=False).returncode == 5
    assert scan("notify", "--set", "Praxis Erfunden=drafted", folder=lab, check=False).returncode == 2


def forms(*names):
    return [word for name in names for word in ("--form", name)]


def test_shards_together_see_what_one_run_sees(lab):
    scope = lab / "leadglass-lab" / "scope.toml"
    seen = []
    for number in range(2):
        done = scan(
            "run",
            scope,
            "--json",
            "--seed",
            5,
            "--shard",
            f"{number}/2",
            "--folder",
            f"s{number}",
            folder=lab,
            check=False,
        )
        seen += [(service["address"], service["port"]) for service in json.loads(done.stdout)["services"]]
    assert len(seen) == len(set(seen)) == 56


def test_two_workers_see_what_one_sees_and_each_verifies_the_scope(lab):
    scope = lab / "leadglass-lab" / "scope.toml"
    done = scan("run", scope, "--json", "--dask", "local", "--folder", "dask", folder=lab, check=False)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["complete"]
    assert len(told["services"]) == 56
    assert told["contacted"] == (512 + 64 + 40) * 3
    assert len(json.loads(scan("history", "--json", "--folder", "dask", folder=lab).stdout)) == 1


def test_a_worker_refuses_a_scope_that_was_not_signed(tmp_path):
    scan(
        "init",
        "ours.toml",
        "--network",
        "192.0.2.1",
        "--authorised-by",
        "x",
        "--contact",
        "y",
        "--title",
        "z",
        folder=tmp_path,
    )
    data = (tmp_path / "ours.toml").read_bytes()
    signature = (tmp_path / "ours.toml.sig").read_bytes()
    keys = str(tmp_path / "config" / "leadglass" / "scan")
    for task in (
        Task(data, None, keys, None, 1, 0, 1),
        Task(data + b"#", signature, keys, None, 1, 0, 1),
        Task(data, signature, str(tmp_path / "nobody"), None, 1, 0, 1),
    ):
        with pytest.raises(LeadglassError) as error:
            look_at_shard(task)
        assert error.value.code is ErrorCode.UNSAFE


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:8786", "192.0.2.1:8786", "tls://192.0.2.1:8786"])
def test_a_scheduler_elsewhere_without_client_certificates_is_refused(lab, address):
    scope = lab / "leadglass-lab" / "scope.toml"
    done = scan("run", scope, "--dask", address, folder=lab, check=False)
    assert done.returncode == 3
    assert "client certificate" in done.stderr


def test_what_another_scanner_found_is_all_that_is_looked_at(lab):
    (lab / "found.txt").write_text("127.77.0.16:11112\n192.0.2.1:104\n")
    scope = lab / "leadglass-lab" / "scope.toml"
    done = scan("run", scope, "--json", "--input", "found.txt", "--folder", "given", folder=lab, check=False)
    assert done.returncode == 0  # it refuses strangers
    assert [service["address"] for service in json.loads(done.stdout)["services"]] == ["127.77.0.16"]
    assert "1 targets" in done.stderr


def test_ctrl_c_ends_a_run_within_a_moment_and_the_next_goes_on(lab):
    text = (lab / "leadglass-lab" / "scope.toml").read_text()
    slow = text.replace("total = 100000", "total = 30").replace('title = "The laboratory"', 'title = "Slow"')
    (lab / "slow.toml").write_text(slow)
    words = [sys.executable, "-m", "leadglass.app", "scan", "run", "slow.toml", "--folder", "slow", "--json"]
    process = subprocess.Popen(words, cwd=lab, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not list((lab / "slow" / "runs").glob("*.jsonl")) if (lab / "slow" / "runs").exists() else True:
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode in (1, 2), err
    assert not json.loads(out)["complete"]
    assert "same command goes on" in err
    (lab / "slow.toml").write_text(slow)
    head = json.loads(next((lab / "slow" / "runs").glob("*.jsonl")).read_text().splitlines()[0])["head"]
    again = subprocess.Popen(words, cwd=lab, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    again.send_signal(signal.SIGINT)
    out, err = again.communicate(timeout=30)
    assert "Going on" in err
    assert json.loads(out)["audit"] == head["id"]


def test_a_scope_is_written_signed_and_needed(tmp_path):
    words = (
        "--network",
        "192.0.2.0/28",
        "--authorised-by",
        "The board",
        "--contact",
        "it@example.org",
        "--title",
        "Ours",
    )
    said = scan("init", "ours.toml", *words, folder=tmp_path).stdout
    assert "binds only you" in said
    plan = scan("plan", "ours.toml", folder=tmp_path).stdout
    assert "signed by own" in plan
    assert "nobody is asked for any" in plan
    (tmp_path / "ours.toml").write_text((tmp_path / "ours.toml").read_text() + "\n# changed\n")
    refused = scan("run", "ours.toml", folder=tmp_path, check=False)
    assert refused.returncode == 3
    assert "changed" in refused.stderr
    scan("sign", "ours.toml", folder=tmp_path)
    assert scan("plan", "ours.toml", folder=tmp_path).returncode == 0
    assert scan("init", "ours.toml", *words, folder=tmp_path, check=False).returncode == 2
    nobody = scan("init", "other.toml", folder=tmp_path, check=False, stdin=subprocess.DEVNULL)
    assert nobody.returncode == 2
    assert "as an option" in nobody.stderr
