"""The archive's own audit: clean for one that is closed, and red as soon as a stranger gets anywhere."""

import asyncio
import json
import threading
from dataclasses import replace

import pytest
from archives import device, free_port, make, served
from enrolling import leadglass

from leadglass.app.audits.own import Impostor, OwnLook, look, outside_scope, services_of
from leadglass.app.audits.scope_file import read_scope
from leadglass.app.config import ListenerConfig, read_config
from leadglass.app.lab.fake_scp import Behaviour, factory
from leadglass.app.lab.holdings import Holdings, made_up
from leadglass.exposure.facts import Fact
from leadglass.exposure.service import Service
from tests.exposure.made import YES, open_archive, result, shut

HERE = Service("127.0.0.1", 11112)


def test_it_is_clean_only_if_nothing_is_open_and_nobody_is_let_in():
    closed = result(*shut("127.0.0.1").observation.facts[1:], address="127.0.0.1", port=11112)
    refused = Impostor("ct", HERE, "127.0.113.99", let_in=False)
    assert OwnLook((closed,), (refused,)).clean
    assert not OwnLook((closed,), (Impostor("ct", HERE, "127.0.113.99", let_in=True),)).clean
    assert not OwnLook((closed, open_archive()), ()).clean
    assert not OwnLook((closed, result(Fact("W08", YES))), ()).clean
    assert not OwnLook((), ()).clean


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    home = make(tmp_path_factory.mktemp("own"), [device("ct"), device("mr")], tls=True, web_port=free_port())
    with served(home):
        yield home


def test_a_stranger_gets_nowhere_in_this_archive(archive, tmp_path):
    outside = tmp_path / "outside.toml"
    told = json.loads(leadglass(archive, "scan", "self", "--json", "--outside", outside).stdout)
    assert told["clean"]
    assert len(told["services"]) == 3
    rungs = sorted(service["rung"] for service in told["services"])
    assert rungs == ["pdu-answered", "port-open", "port-open"]  # plain DICOM says no; TLS and HTTP ask who is there
    assert [(one["device"], one["let_in"]) for one in told["impostors"]] == [("ct", False), ("mr", False)] * 2
    scope = read_scope(outside.read_bytes(), "outside.toml").scope
    assert {service.port for service, _ in services_of(read_config(archive.config))} <= set(scope.ports)
    assert "stranger gets nowhere" in leadglass(archive, "scan", "self").stdout


def test_an_open_server_in_its_place_is_red(archive):
    port = free_port()
    ready = threading.Event()
    loop = asyncio.new_event_loop()

    async def serve():
        made = factory(Behaviour(holdings=Holdings(made_up(5))))
        server = await loop.create_server(made, "127.0.0.1", port)
        ready.set()
        await server.serve_forever()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    config = replace(read_config(archive.config), listeners=(ListenerConfig("127.0.0.1", port, tls=False),), web=())
    seen = look(config, [device("ct")])
    assert not seen.clean
    assert [impostor.let_in for impostor in seen.impostors] == [True]


def test_a_listener_that_does_not_answer_is_not_called_clean(archive):
    config = replace(read_config(archive.config), listeners=(ListenerConfig("127.0.0.1", 1, tls=False),), web=())
    assert not look(config, []).clean


def test_without_a_served_archive_there_is_nothing_to_look_at(tmp_path):
    home = make(tmp_path, [])
    done = leadglass(home, "scan", "self", check=False)
    assert done.returncode == 8
    assert "not serving" in done.stderr


def test_the_scope_for_outside_can_be_read_as_it_is(archive, tmp_path):
    path = tmp_path / "scope.toml"
    outside_scope(read_config(archive.config), path)
    assert not read_scope(path.read_bytes(), "scope").scope.networks[0].is_loopback
