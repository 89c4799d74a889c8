"""The auditor's page and letters in a real browser: they show, in light and dark, and print.

The picture is kept under build/pictures, for whoever wants to look at what a build shows.
"""

import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from leadglass.app.audits.running import ledger_of
from leadglass.app.cli import app
from tests.exposure.made import audit, open_archive, shut, silent

pytestmark = pytest.mark.interop("chromium")

PICTURES = Path(__file__).parents[2] / "build" / "pictures"
OWNERS = "network,country,organisation,contact\n192.0.2.0/24,DE,Praxis Erfunden,it@praxis.example\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = ledger_of(Path("leadglass-audit"))
    ledger.record(audit(open_archive(), open_archive("192.0.2.9", 40, 900), name="20251201T000000Z-0000", started=-9e6))
    ledger.record(audit(open_archive(), shut("192.0.2.9"), silent("192.0.2.5")))
    Path("owners.csv").write_text(OWNERS)
    return tmp_path


def scan(*words):
    done = CliRunner().invoke(app, ["scan", *words, "--owners", "owners.csv"])
    assert done.exit_code == 0, done.output
    return done.output


def browse(chromium, page: Path, *options):
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [chromium.tool("chromium"), "--headless", "--disable-gpu", *sandbox, *options, page.absolute().as_uri()],
        capture_output=True,
        timeout=100,
        check=True,
    )
    return done.stdout.decode()


def test_the_page_shows_its_pictures_and_numbers(folder, chromium):
    page = folder / scan("report").strip()
    shown = browse(chromium, page, "--dump-dom")
    assert shown.count("<svg") >= 5
    assert "34,000" in shown
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = PICTURES / "audit.png"
    browse(chromium, page, f"--screenshot={picture}", "--window-size=1100,2200")
    with Image.open(picture) as image:
        assert image.size == (1100, 2200)
        colours = image.convert("RGB").getcolors(2**24)
    assert len(colours) > 50
    reds = sum(count for count, (red, green, blue) in colours if red > 150 and green < 60 and blue < 60)
    assert reds > 2000  # the bars of what is exposed


def test_the_page_and_the_letters_print(folder):
    paths = [folder / line for line in scan("report", "--form", "pdf").split()]
    scan("notify", "--pdf")
    paths += list((folder / "leadglass-audit" / "notices").rglob("*.pdf"))
    assert len(paths) == 2
    assert all(path.read_bytes().startswith(b"%PDF-") and path.stat().st_size > 5000 for path in paths)
    assert not list((folder / "leadglass-audit" / "notices").rglob("*.html"))
