"""`leadglass serve` and `status` as an administrator meets them: what does not start, what closes, what is told."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import archives
import pytest
from enrolling import leadglass, until

from leadglass.access.authority import SERVER_DAYS, Authority
from leadglass.app import facts, web_roots
from leadglass.app.certificates import SERVER, Certificates, authority_of, utc_now
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.app.judging import DEMO_KEYS


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return archives.make(tmp_path, [archives.device("ct")], tls=True)


def configure(home: Home, old: str, new: str) -> None:
    text = home.config.read_text()
    assert old in text
    home.config.write_text(text.replace(old, new, 1))


def standing(home: Home) -> dict[str, Any]:
    seen: dict[str, Any] = json.loads(leadglass(home, "status", "--json", check=False).stdout)
    return seen


def key_of(home: Home) -> Path:
    return Path(read_config(home.config).key_source.value)


# --- what does not start ------------------------------------------------------------------------------------------


def widen_home(home: Home) -> None:
    home.root.chmod(0o755)


def widen_vault(home: Home) -> None:
    home.vault.chmod(0o750)


def widen_key(home: Home) -> None:
    key_of(home).chmod(0o644)


def give_away(home: Home) -> None:
    os.chown(home.vault, 65534, 65534)


def link_vault(home: Home) -> None:
    elsewhere = home.root.parent / "elsewhere"
    home.vault.rename(elsewhere)
    home.vault.symlink_to(elsewhere)


def key_inside(home: Home) -> None:
    key_of(home).rename(home.root / "master.key")
    configure(home, str(key_of(home)), str(home.root / "master.key"))


def without_kit(home: Home) -> None:
    configure(home, 'risk = "no-recovery-kit"', 'risk = "core-dumps"')


def as_root(home: Home) -> None:
    configure(home, 'risk = "running-as-root"', 'risk = "core-dumps"')


def ended_override(home: Home) -> None:
    today = dt.datetime.now(dt.UTC).date()
    end = read_config(home.config).overrides[0].until
    home.config.write_text(home.config.read_text().replace(str(end), str(today - dt.timedelta(days=1))))


def endless_override(home: Home) -> None:
    end = read_config(home.config).overrides[0].until
    home.config.write_text(home.config.read_text().replace(str(end), str(end + dt.timedelta(days=2))))


def mistyped_override(home: Home) -> None:
    configure(home, 'risk = "running-as-root"', 'risk = "running-as-rot"')


def sample_device(home: Home) -> None:
    with archives.opened(home) as archive:
        archive.state.put_device(archives.device("sample", sample=True))


def demo_keys(home: Home) -> None:
    with archives.opened(home) as archive:
        archive.state.put_setting(DEMO_KEYS, "yes")


def wide_device(home: Home) -> None:
    with archives.opened(home) as archive:  # enrolment would refuse it; an older archive may hold it
        archive.state.put_device(replace(archives.device("wide", plain=False), networks=("10.0.0.0/22",)))


def public_plain_listener(home: Home) -> None:
    configure(home, 'host = "127.0.0.1"', 'host = "8.8.8.8"')


UNSAFE: list[tuple[Callable[[Home], None], str]] = [
    (widen_home, "readable-by-others"),
    (widen_vault, "readable-by-others"),
    (widen_key, "readable-by-others"),
    (give_away, "foreign-owner"),
    (link_vault, "symbolic-link"),
    (key_inside, "key-inside-archive"),
    (without_kit, "no-recovery-kit"),
    (as_root, "running-as-root"),
    (ended_override, "no-recovery-kit"),
    (endless_override, "override-too-long"),
    (mistyped_override, "override-unclear"),
    (sample_device, "sample-device"),
    (demo_keys, "demo-keys"),
    (wide_device, "device-networks-wide"),
    (public_plain_listener, "plain-listener-global"),
]
NEEDS_ROOT = {give_away, as_root}


@pytest.mark.parametrize(("spoil", "risk"), UNSAFE, ids=[spoil.__name__ for spoil, _ in UNSAFE])
def test_an_unsafe_setting_does_not_start(home: Home, spoil: Callable[[Home], None], risk: str) -> None:
    if spoil in NEEDS_ROOT and os.geteuid() != 0:
        pytest.skip("only root can give files away or run as root")
    spoil(home)
    done = leadglass(home, "serve", check=False)
    assert done.returncode == 3, done.stderr
    assert "mend: " in done.stderr
    if risk not in {"override-too-long", "override-unclear", "sample-device", "demo-keys"}:
        assert f"[override: {risk}]" in done.stderr
    assert "Listening" not in done.stdout
    assert risk in leadglass(home, "journal", "show", "--json").stdout
    assert leadglass(home, "status", check=False).returncode == 3


def test_a_second_server_does_not_start(home: Home) -> None:
    with archives.served(home):
        done = leadglass(home, "serve", check=False)
    assert done.returncode == 4
    assert "Another Leadglass process" in done.stderr


def test_an_address_in_use_is_told(home: Home, tmp_path: Path) -> None:
    with archives.served(home) as server:
        (tmp_path / "two").mkdir()
        other = archives.make(tmp_path / "two", [], port=server.port)
        done = leadglass(other, "serve", check=False)
    assert done.returncode == 8
    assert "in use" in done.stderr


def test_a_served_archive_tells_its_overrides_and_the_scan(home: Home) -> None:
    with archives.served(home) as server:
        done = leadglass(home, "status")
        seen = standing(home)
    assert {item["risk"] for item in seen["overrides"]} == {"running-as-root", "no-recovery-kit", "plain-retrieve"}
    assert all(item["reason"] == "test" and item["until"] for item in seen["overrides"])
    assert str(server.tls_port) in seen["outside_scan"]
    assert "nmap -Pn" in done.stdout and "cannot be seen from inside" in done.stdout
    assert [item["open"] for item in seen["listeners"]] == [True, True]
    rows = json.loads(leadglass(home, "journal", "show", "--json").stdout)
    text = json.dumps([row for row in rows if "override-in-force" in json.dumps(row)])
    assert "plain-retrieve" in text and "running-as-root" in text and "test" in text


def test_an_override_lets_a_risky_device_be_enrolled(home: Home) -> None:
    words = ("device", "add", "wide", "--title", "WIDE", "--network", "10.0.0.0/20")
    refused = leadglass(home, *words, check=False)
    assert refused.returncode == 3
    assert "[override: device-networks-wide]" in refused.stderr
    end = read_config(home.config).overrides[0].until
    override = f'\n[[override]]\nrisk = "device-networks-wide"\ndevice = "wide"\nreason = "test"\nuntil = {end}\n'
    home.config.write_text(home.config.read_text() + override)
    leadglass(home, *words)
    other = leadglass(home, "device", "add", "w2", "--title", "W2", "--network", "10.0.0.0/20", check=False)
    assert other.returncode == 3


# --- certificates that end ----------------------------------------------------------------------------------------


def give_certificate(home: Home, folder: Path, until_moment: dt.datetime) -> tuple[Path, Path]:
    """Have the TLS listener present a certificate that ends at `until_moment`."""
    maker = Authority.create("hospital", until_moment - dt.timedelta(days=SERVER_DAYS))
    issued = maker.issue_server(("127.0.0.1",), until_moment - dt.timedelta(days=SERVER_DAYS))
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(issued.chain_pem)
    key.write_bytes(issued.key_pem)
    key.chmod(0o600)
    if "server.pem" not in home.config.read_text():
        configure(home, "tls = true\n", f'tls = true\ncertificate = "{certificate}"\nkey = "{key}"\n')
    return certificate, key


def test_an_expired_server_certificate_closes_its_listener_and_the_others_start(home: Home, tmp_path: Path) -> None:
    give_certificate(home, tmp_path, utc_now() - dt.timedelta(days=1))
    with archives.served(home) as server:
        status = leadglass(home, "status", check=False)
        assert status.returncode == 3
        assert "closed" in status.stdout
        assert [item["open"] for item in standing(home)["listeners"]] == [True, False]
        assert "0x0000" in leadglass_echo(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 10
    assert "listener-closed" in leadglass(home, "journal", "show", "--json").stdout


def leadglass_echo(server: archives.Server) -> str:
    words = ["-m", "leadglass.app", "echo", f"LEADGLASS@127.0.0.1:{server.port}", "--title", "CT"]
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_listener_closes_when_its_certificate_ends_and_opens_with_a_new_one(home: Home, tmp_path: Path) -> None:
    give_certificate(home, tmp_path, utc_now() + dt.timedelta(seconds=20))
    with archives.served(home):
        assert [item["open"] for item in standing(home)["listeners"]] == [True, True]
        assert until(lambda: not standing(home)["listeners"][1]["open"], 60)
        give_certificate(home, tmp_path, utc_now() + dt.timedelta(days=300))
        assert until(lambda: standing(home)["listeners"][1]["open"])
        assert leadglass(home, "status").returncode == 0


def test_an_archive_whose_only_certificate_has_expired_does_not_start(home: Home, tmp_path: Path) -> None:
    give_certificate(home, tmp_path, utc_now() - dt.timedelta(days=1))
    text = home.config.read_text()
    home.config.write_text(text[: text.index("[[listener]]")] + text[text.rindex("[[listener]]") :])
    done = leadglass(home, "serve", check=False)
    assert done.returncode == 3
    assert "expired" in done.stderr


def test_what_ends_within_60_days_is_warned_of(home: Home, tmp_path: Path) -> None:
    give_certificate(home, tmp_path, utc_now() + dt.timedelta(days=59))
    with archives.opened(home) as archive:
        authority = authority_of(archive.state, archive.keys.ca)
        for name, days in (("soon", 59), ("late", 61), ("gone", -1)):
            issued = authority.issue_device(name, utc_now() + dt.timedelta(days=days - 825))
            archive.state.put_device(archives.device(name, plain=False, certificates=(issued.binding(),)))
    with archives.served(home):
        seen = standing(home)
        told = {(item["of"], item["name"].partition(":")[0]): item["expired"] for item in seen["certificates"]}
        assert told == {("listener", "127.0.0.1"): False, ("device", "soon"): False, ("device", "gone"): True}
        assert leadglass(home, "status").returncode == 0  # a device's own trouble is not the archive's
        assert until(lambda: "certificate-expiring" in leadglass(home, "journal", "show", "--json").stdout)
    assert "certificate-expired" in leadglass(home, "journal", "show", "--json").stdout


def test_a_web_listeners_certificate_is_warned_of_too(home: Home, tmp_path: Path) -> None:
    certificate, key = give_certificate(home, tmp_path, utc_now() - dt.timedelta(days=1))
    files = f'certificate = "{certificate}"\nkey = "{key}"\n'
    configure(home, files, "")
    home.config.write_text(home.config.read_text() + f'\n[[web]]\nhost = "127.0.0.1"\nport = 8443\n{files}')
    assert leadglass(home, "status", check=False).returncode == 3
    (told,) = standing(home)["certificates"]
    assert (told["of"], told["name"], told["expired"]) == ("web", "https://127.0.0.1:8443", True)


def test_our_own_certificate_renews_itself(home: Home) -> None:
    with archives.opened(home) as archive:
        today = utc_now()
        moment = [today]
        certificates = Certificates(archive.state, archive.keys.ca, archive.config, lambda: moment[0])
        listener = next(item for item in archive.config.listeners if item.tls)
        presented = certificates.for_listening(listener)
        first, sealed = presented.not_after, archive.state.setting(SERVER)
        assert sealed is not None and "PRIVATE" not in sealed
        moment[0] = first - dt.timedelta(days=61)
        certificates.follow()
        assert presented.not_after == first
        moment[0] = first - dt.timedelta(days=59)
        certificates.follow()
        assert presented.not_after > first
        again = Certificates(archive.state, archive.keys.ca, archive.config, lambda: moment[0])
        assert again.for_listening(listener).not_after == presented.not_after  # kept over a restart


def test_a_renewal_that_fails_is_shown_and_tried_again_until_it_works(home: Home, tmp_path: Path) -> None:
    _, key = give_certificate(home, tmp_path, utc_now() + dt.timedelta(days=100))
    with archives.served(home):
        first = standing(home)["listeners"][1]["certificate_until"]
        new, old_key = utc_now() + dt.timedelta(days=300), key.read_bytes()
        give_certificate(home, tmp_path, new)
        right = key.read_bytes()
        key.write_bytes(old_key)
        assert until(lambda: "do not fit" in standing(home)["listeners"][1]["renewal"])
        done = leadglass(home, "status", check=False)
        assert (done.returncode, "do not fit" in done.stdout) == (3, True)
        assert standing(home)["listeners"][1]["certificate_until"] == first
        before = key.stat()
        key.write_bytes(right)
        os.utime(key, ns=(before.st_atime_ns, before.st_mtime_ns))  # nothing seems to have changed
        assert until(lambda: standing(home)["listeners"][1]["renewal"] == "")
        assert standing(home)["listeners"][1]["certificate_until"] > first
        assert leadglass(home, "status").returncode == 0
    assert "certificate-renewal-failed" in leadglass(home, "journal", "show", "--json").stdout


def test_status_says_of_an_expired_certificate_the_same_to_people_and_programs(home: Home, tmp_path: Path) -> None:
    give_certificate(home, tmp_path, utc_now() - dt.timedelta(days=1))

    def seen() -> tuple[bool, str, bool]:
        row = standing(home)["listeners"][1]
        return row["expired"], row["closed"], "closed, its certificate has expired" in text()

    def text() -> str:
        done = leadglass(home, "status", check=False)
        assert done.returncode == 3
        return done.stdout

    assert seen() == (True, "its certificate has expired", True)
    with archives.served(home):
        assert seen() == (True, "its certificate has expired", True)


def test_a_certificate_that_does_not_fit_its_key_is_told(home: Home, tmp_path: Path) -> None:
    _, key = give_certificate(home, tmp_path, utc_now() + dt.timedelta(days=300))
    kept = key.read_bytes()
    give_certificate(home, tmp_path, utc_now() + dt.timedelta(days=300))
    key.write_bytes(kept)
    done = leadglass(home, "serve", check=False)
    assert done.returncode != 0
    assert "do not fit" in done.stderr


# --- facts ---------------------------------------------------------------------------------------------------------


def test_folders_that_a_web_server_serves_are_read_from_its_configuration(tmp_path: Path) -> None:
    sites = tmp_path / "etc/nginx/sites-enabled"
    sites.mkdir(parents=True)
    (sites / "pacs").write_text(
        "server {\n  root /data/site;  # root /no;\n  location /x { }\n  alias '/data/alias';\n}\n"
    )
    apache = tmp_path / "etc/apache2"
    apache.mkdir(parents=True)
    (apache / "a.conf").write_text('DocumentRoot "/data/apache"\n  Alias /img /data/img\n# DocumentRoot /not\n')
    found = {str(path) for path in web_roots.web_roots(tmp_path)}
    assert {"/data/site", "/data/alias", "/data/apache", "/data/img", "/var/www"} <= found
    assert not {"/no", "/not"} & found


ADD_SECOND = """
import fcntl, socket, struct
SIOCSIFADDR = 0x8916
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
    for name, address in (("lo", "127.0.0.1"), ("lo:9", "127.99.88.77")):
        request = struct.pack("16sHH4s", name.encode(), socket.AF_INET, 0, socket.inet_aton(address)) + bytes(16)
        fcntl.ioctl(door.fileno(), SIOCSIFADDR, request)
from leadglass.app.facts import own_addresses
print(own_addresses())
"""


def test_second_addresses_of_an_interface_are_seen() -> None:
    """In a network namespace of its own."""
    words = ["unshare", "--map-root-user", "--net", sys.executable, "-c", ADD_SECOND]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in done.stderr:
        pytest.skip("this machine lets nobody make a network namespace")
    assert "('lo', '127.0.0.1')" in done.stdout and "('lo', '127.99.88.77')" in done.stdout, done.stderr
    assert ("lo", "127.0.0.1") in facts.own_addresses()


def test_a_way_with_dots_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    fact = facts.path_fact(tmp_path / "a" / ".." / "a")
    assert fact is not None and fact.path == fact.real == tmp_path / "a"
