"""The archive as a neighbour meets it: from a network namespace with an address that nobody has enrolled."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import neighbour
import pytest
from archives import device

from leadglass.app.audits import elsewhere
from leadglass.app.audits.elsewhere import Elsewhere, Listener, look_from_elsewhere
from leadglass.app.audits.stranger import Impostor
from leadglass.app.namespaces import enclosing
from leadglass.exposure.service import Service
from tests.exposure.made import open_archive

CT = device("ct")
THERE = Service("10.0.0.1", 11112)


def seen_by_a_neighbour(what: str, folder: Path) -> dict:
    """What tests/support/neighbour.py prints, run where nothing of this machine is touched."""
    script = Path(neighbour.__file__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(script.parent), *sys.path])}
    words = [*enclosing(), sys.executable, script, what, folder]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.interop("namespaces", "iproute2")
def test_listeners_for_everybody_are_met_by_a_neighbour_and_let_nobody_in(tmp_path):
    told = seen_by_a_neighbour("0.0.0.0", tmp_path)
    there = told["elsewhere"]
    assert ipaddress.ip_address(there["source"]).is_private
    assert not there["source"].startswith("127.")
    assert sorted(service["rung"] for service in there["services"]) == ["pdu-answered", "port-open", "port-open"]
    assert [(one["device"], one["source"], one["let_in"]) for one in there["impostors"]] == [
        ("ct", there["source"], False)
    ] * 2
    assert there["misplaced"] == []
    assert told["clean"]


@pytest.mark.interop("namespaces", "iproute2")
def test_listeners_for_this_machine_are_not_reached(tmp_path):
    told = seen_by_a_neighbour("127.0.0.1", tmp_path)
    assert told["elsewhere"]["source"]
    assert {service["rung"] for service in told["elsewhere"]["services"]} == {"closed"}
    assert told["elsewhere"]["impostors"] == []
    assert len(told["services"]) == 3  # from loopback they are looked at as ever
    assert told["clean"]


@pytest.mark.interop("namespaces", "iproute2")
def test_a_listener_for_this_machine_that_others_reach_is_red_though_it_refuses_them(tmp_path):
    told = seen_by_a_neighbour("misplaced", tmp_path)
    assert told["misplaced"] == [told["port"]]
    assert not told["clean"]


def test_it_is_clean_only_if_nothing_was_got():
    assert Elsewhere().clean
    assert not Elsewhere("10.0.0.2", results=(open_archive(),)).clean
    assert not Elsewhere("10.0.0.2", impostors=(Impostor("ct", THERE, "10.0.0.2", let_in=True),)).clean
    assert not Elsewhere("10.0.0.2", misplaced=(THERE,)).clean


def test_where_it_cannot_be_made_it_says_why(monkeypatch):
    monkeypatch.setattr(elsewhere.shutil, "which", lambda name: None)
    seen = look_from_elsewhere([Listener("127.0.0.1", 11112, dicom=True)], [CT], "LEADGLASS")
    assert (seen.source, seen.clean) == ("", True)
    assert "iproute2" in seen.why


def test_its_address_is_nobodys_that_is_enrolled_or_routed(monkeypatch, tmp_path):
    table = tmp_path / "route"
    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    table.write_text(
        head + "e\t00000000\t0\t1\t0\t0\t0\t00000000\t0\t0\t0\ne\t0000A8C0\t0\t1\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    monkeypatch.setattr(elsewhere, "_ROUTES", table)
    ten = replace(CT, networks=("10.0.0.0/8", "fd00::/8"))
    asked: list[ipaddress.IPv4Network] = []
    monkeypatch.setattr(
        elsewhere, "_told", lambda task, here: asked.append(ipaddress.ip_interface(here).network) or STOP()
    )
    for _ in range(20):
        with pytest.raises(Stopped):
            look_from_elsewhere([], [ten], "LEADGLASS")
    assert all(network.subnet_of(ipaddress.ip_network("172.16.0.0/12")) for network in asked)
    everybody = replace(CT, networks=("10.0.0.0/8", "172.16.0.0/12"))
    assert "enrolled" in look_from_elsewhere([], [everybody], "LEADGLASS").why


class Stopped(Exception):
    pass


def STOP():
    raise Stopped
