"""Messages are sent by a command of its own, once, to the owner's address, and over no line that others can read."""

import socketserver
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leadglass.app.audits.running import ledger_of
from leadglass.app.cli import app
from tests.exposure.made import audit, open_archive

OWNERS = "network,country,organisation,contact\n192.0.2.0/24,DE,Praxis Erfunden,it@praxis.example\n"


class Smtp(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 test\r\n")
        data = False
        text = []
        for line in self.rfile:
            word = line[:4].upper()
            if data:
                if line == b".\r\n":
                    data = False
                    self.server.mails.append(b"".join(text).decode())
                    self.wfile.write(b"250 taken\r\n")
                else:
                    text.append(line)
            elif word == b"DATA":
                data = True
                self.wfile.write(b"354 go on\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                if word == b"RCPT":
                    self.server.to.append(line.decode().strip())
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def mail_server():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp) as server:
        server.mails, server.to = [], []
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def drafted(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger_of(Path("leadglass-audit")).record(audit(open_archive()))
    Path("owners.csv").write_text(OWNERS)
    done = CliRunner().invoke(app, ["scan", "notify", "--owners", "owners.csv"])
    assert done.exit_code == 0, done.output
    return tmp_path


def send(server, *more):
    host, port = server.server_address
    words = [
        "scan",
        "send",
        "--server",
        f"{host}:{port}",
        "--from",
        "auditor@example.org",
        "--owners",
        "owners.csv",
        *more,
    ]
    return CliRunner().invoke(app, words)


def states():
    return {notice.owner: notice.state for notice in ledger_of(Path("leadglass-audit")).notices()}


def test_a_drafted_message_is_sent_once_and_kept_as_sent(drafted, mail_server):
    done = send(mail_server, "--yes")
    assert done.exit_code == 0, done.output
    assert [to for to in mail_server.to if "it@praxis.example" in to]
    assert len(mail_server.mails) == 1
    assert states() == {"Praxis Erfunden": "sent"}
    assert "No drafted message" in send(mail_server, "--yes").output
    assert len(mail_server.mails) == 1


def test_nothing_is_sent_unless_somebody_says_yes(drafted, mail_server):
    assert send(mail_server).exit_code != 0
    assert mail_server.mails == []
    assert states() == {"Praxis Erfunden": "drafted"}


def test_only_the_owners_that_are_named(drafted, mail_server):
    assert "No drafted message" in send(mail_server, "--yes", "--owner", "Somebody Else").output
    assert mail_server.mails == []


def test_a_server_elsewhere_without_encryption_is_not_used(drafted, mail_server, monkeypatch):
    monkeypatch.setattr(sys.modules["leadglass.app.cli.scan.sending"], "_is_here", lambda host: False)
    done = send(mail_server, "--yes")
    assert done.exception is not None
    assert "no encryption" in str(done.exception.comment)
    assert mail_server.mails == []
