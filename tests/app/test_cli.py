"""The command line as a whole: help everywhere, one sentence for every error, exit codes as documented, JSON."""

import io
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import archives
import dicom_files
import interop_studies as studies
import pytest
from commanding import leadglass
from rich.console import Console

from leadglass.app import cli
from leadglass.app.cli import output
from leadglass.core.errors import ErrorCode, LeadglassError

ROOT = Path(__file__).parents[2]
PASSPHRASE = "a long passphrase\n"


def commands(app=cli.app, before=()):
    for command in app.registered_commands:
        yield (*before, command.name or command.callback.__name__.rstrip("_"))
    for group in app.registered_groups:
        name = group.name or group.typer_instance.info.name
        yield from commands(group.typer_instance, (*before, name))


ALL = sorted(commands())


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    home = archives.make(folder, [archives.device("ct1"), archives.sink("ws1", 11999)])
    assert leadglass("import", *dicom_files.write(folder / "files"), home=home).code == 0
    return home


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_a_help(words):
    done = leadglass(*words, "--help")
    assert done.code == 0
    assert "Usage: leadglass" in done.out


def test_every_command_is_in_the_readme():
    text = (ROOT / "README.md").read_text("utf-8")
    table = " ".join(line for line in text.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"[a-z]+", table))
    assert {word for words in ALL for word in words} - {"demo"} <= named


def test_exit_codes_are_in_the_readme_and_in_the_help():
    readme = (ROOT / "README.md").read_text("utf-8").replace("\n", " ")
    told = re.search(r"Exit codes: (.*?)\.", re.sub(r"\s+", " ", readme)).group(1)
    shown = re.sub(r"[\s│]+", " ", leadglass("--help", env={"COLUMNS": "200"}).out)
    assert f"Exit codes: {told}." in shown
    codes = {int(code) for code in re.findall(r"\d+", told)}
    raised = {*output.EXIT_CODES.values(), output.OTHER_FAILURE, output.DONE_IN_PART, output.DEFECT, output.INTERRUPTED}
    assert codes == raised | {0}


def test_version():
    assert re.fullmatch(r"leadglass \d+\.\d+\.\d+\n", leadglass("--version").out)


WITHOUT_AN_ARCHIVE = [
    ("status",), ("stats",), ("serve",), ("check",), ("reindex",), ("trash",), ("undelete", "1.2"),
    ("delete", "--study", "1.2", "--reason", "x"), ("import", "."), ("export", "/nowhere/x", "--study", "1.2"),
    ("device", "list"), ("device", "show", "x"), ("device", "remove", "x"), ("device", "refused"),
    ("journal", "show"), ("journal", "verify"), ("journal", "head"), ("keys", "export", "kit"), ("keys", "test", "kit"),
]  # fmt: skip


@pytest.mark.parametrize("words", WITHOUT_AN_ARCHIVE, ids=" ".join)
def test_without_an_archive_one_sentence_says_what_to_do(words, tmp_path, monkeypatch):
    monkeypatch.delenv("LEADGLASS_HOME", raising=False)
    for done in (leadglass(*words), leadglass(*words, "--home", tmp_path / "nothing")):
        assert done.code == 2
        assert done.out == ""
        assert len(done.err.splitlines()) == 1
        assert done.err.startswith("leadglass: ")


WRONG = [
    (("journal", "show", "--kind", "nonsense"), 2, "security-alert"),
    (("journal", "show", "--since", "yesterday"), 2, "--since is a date"),
    (("journal", "verify", "--head", "nonsense"), 2, "journal head"),
    (("delete", "--study", "1.2"), 2, "--reason"),
    (("delete", "--reason", "x"), 2, "--study"),
    (("delete", "--study", "1.2", "--reason", "x"), 5, "Nothing matches"),
    (("undelete", "1.2"), 5, "trash"),
    (("device", "show", "nobody"), 5, "no device"),
    (("device", "test", "ct1"), 2, "no address"),
    (("device", "add", "x", "--title", "X", "--network", "10.0.0.999"), 2, "network"),
    (("keys", "test", "/dev/null"), 7, "recovery kit"),
    (("keys", "test", "/absent"), 2, "No such file"),
    (("keys", "export", "/absent/kit"), 2, "cannot be written"),
    (("echo", "nobody"), 5, "no device"),
    (("echo", "ct1"), 2, "no address"),
    (("echo", "X@"), 2, "TITLE@HOST:PORT"),
    (("echo", "X@127.0.0.1:99999"), 2, "TITLE@HOST:PORT"),
    (("echo", "X@127.0.0.1:1"), 8, "refused the connection"),
    (("echo", "ws1"), 8, "refused the connection"),
    (("echo", "X@127.0.0.1:1", "--tls-ca", "/absent"), 2, "No such file"),
    (("echo", "X@127.0.0.1:1", "--tls-identity", "/absent"), 2, "--tls-ca"),
    (("find", "X@127.0.0.1:1", "-k", "Nonsense"), 2, "no attribute"),
    (("find", "X@127.0.0.1:1", "-k", "zzzz,zzzz"), 2, "no attribute"),
    (("find", "X@127.0.0.1:1", "--level", "FOO"), 2, "PATIENT"),
    (("get", "X@127.0.0.1:1", "/", "-k", "PatientID=1"), 2, "not an empty folder"),
    (("init",), 2, "already"),
]


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    WRONG,
    ids=lambda value: " ".join(value) if value is not None and isinstance(value, tuple) else None,
)
def test_wrong_words_get_a_sentence_and_their_code(home, words, code, hint):
    done = leadglass(*words, home=home, stdin=PASSPHRASE)
    assert done.code == code, done.err
    assert hint in done.err
    assert len(done.err.splitlines()) == 1


LISTS = [
    ("status",), ("stats",), ("device", "list"), ("device", "refused"), ("device", "show", "ct1"), ("trash",),
    ("check",), ("journal", "show"), ("journal", "verify"), ("journal", "head"),
]  # fmt: skip


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_everything_that_lists_speaks_json(home, words):
    done = leadglass(*words, *(() if words[1:2] == ("show",) and words[0] == "device" else ("--json",)), home=home)
    assert done.code == 0
    assert done.json is not None
    assert done.err == ""


def test_a_study_goes_into_the_trash_and_comes_back(home):
    words = ("--study", studies.YAMADA.study_uid)
    assert "1 study in the trash" in leadglass("delete", *words, "--reason", "a test", home=home).out
    (entry,) = leadglass("trash", "--json", home=home).json
    assert (entry["study"], entry["reason"]) == (studies.YAMADA.study_uid, "a test")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", entry["trashed_at"])
    assert leadglass("export", home.root.parent / "gone", *words, home=home).code == 5
    assert "Brought back 1 study" in leadglass("undelete", studies.YAMADA.study_uid, home=home).out
    assert leadglass("trash", "--json", home=home).json == []


def test_reindex_and_check(home):
    assert f"{dicom_files.COUNT} instances" in leadglass("reindex", home=home).out
    done = leadglass("check", "--read-data", "--json", home=home)
    assert (done.code, done.json["instances"], done.json["problems"]) == (0, dicom_files.COUNT, [])


def test_check_finds_damage_and_says_so_with_its_code(tmp_path):
    home = archives.make(tmp_path, [])
    leadglass("import", *dicom_files.write(tmp_path / "files"), home=home)
    segment = max((path for path in home.vault.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(segment.read_bytes())
    content[4096 + 1500] ^= 1
    segment.write_bytes(content)
    done = leadglass("check", "--read-data", home=home)
    assert done.code == 7
    assert "damaged" in done.err


def test_a_journal_cut_behind_a_kept_head_is_found(home, tmp_path):
    head = leadglass("journal", "head", home=home).out.strip()
    assert leadglass("journal", "verify", "--head", head, home=home).code == 0
    sequence, _, digest = head.partition(":")
    other = f"{sequence}:{digest[::-1]}"
    done = leadglass("journal", "verify", "--head", other, home=home)
    assert done.code == 7
    assert "not the one that was kept" in done.err


def test_a_recovery_kit_is_written_once_and_tested(home, tmp_path):
    kit = tmp_path / "kit.txt"
    assert leadglass("keys", "export", kit, home=home, stdin="short\n").code == 2
    assert leadglass("keys", "export", kit, home=home, stdin=PASSPHRASE).code == 0
    assert kit.stat().st_mode & 0o777 == 0o600
    assert leadglass("keys", "export", kit, home=home, stdin=PASSPHRASE).code == 2
    assert leadglass("keys", "test", kit, home=home, stdin="another passphrase\n").code == 6
    done = leadglass("keys", "test", kit, home=home, stdin=PASSPHRASE)
    assert (done.code, done.err) == (0, "")


def test_a_key_file_that_is_lost_or_another_archives(tmp_path):
    home = archives.make(tmp_path, [])
    key = tmp_path / "key" / "master.key"
    kept = key.read_bytes()
    key.unlink()
    done = leadglass("stats", home=home)
    assert (done.code, len(done.err.splitlines())) == (8, 1)
    archives.make(tmp_path / "other", [])
    key.write_bytes((tmp_path / "other" / "key" / "master.key").read_bytes())
    key.chmod(0o600)
    assert leadglass("stats", home=home).code == 6
    key.write_bytes(kept)
    assert leadglass("stats", home=home).code == 0


def test_a_configuration_with_a_typing_error_names_the_key(tmp_path):
    home = archives.make(tmp_path, [])
    home.config.write_text(home.config.read_text() + "\n[archiv]\n")
    done = leadglass("stats", home=home)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "archiv" in done.err


# --- nothing ends in a trace --------------------------------------------------------------------------------------


def test_a_defect_shows_no_trace_and_no_value(home, monkeypatch):
    def broken(*_):
        raise KeyError("Nobody^Invented")

    monkeypatch.setattr("leadglass.services.maintenance.Maintenance.statistics", broken)
    done = leadglass("stats", home=home)
    assert done.code == 70
    assert "KeyError" in done.err
    assert "Nobody" not in done.err


def test_errors_of_the_system_name_the_file(home, monkeypatch):
    def broken(*_):
        raise PermissionError(13, "Permission denied", "/somewhere")

    monkeypatch.setattr("leadglass.services.maintenance.Maintenance.statistics", broken)
    done = leadglass("stats", home=home)
    assert (done.code, done.err) == (1, "leadglass: /somewhere: Permission denied.\n")
    full = OSError(28, "No space left on device", "/somewhere")
    monkeypatch.setattr("leadglass.services.maintenance.Maintenance.statistics", lambda *_: (_ for _ in ()).throw(full))
    assert leadglass("stats", home=home).code == 9


def test_a_reader_that_goes_away_is_no_error(home):
    command = f"{sys.executable} -m leadglass.app journal show --home {home.root} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_the_letters_shows_them_escaped(home, encoding):
    command = [sys.executable, "-m", "leadglass.app", "import", "/no/Προσωπο", "--home", str(home.root)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment)
    assert done.returncode == 10
    assert rb"\u03a0" in done.stderr


# --- how it looks -------------------------------------------------------------------------------------------------


def at_a_terminal(monkeypatch, width):
    out = io.StringIO()
    monkeypatch.setattr(
        output, "console", Console(file=out, width=width, highlight=False, force_terminal=True, color_system=None)
    )
    monkeypatch.setattr(sys, "stdout", out)
    return out


def test_a_table_that_does_not_fit_keeps_its_values_whole(monkeypatch):
    rows = [("first", "x" * 50), ("second", "leadglass device add ct1 --title CT1 --network 10.1.2.10 --plain")]
    wide = at_a_terminal(monkeypatch, 100)
    output.table("Title", ("name", "to enrol it"), rows)
    assert len(wide.getvalue().splitlines()) == 4
    narrow = at_a_terminal(monkeypatch, 40)
    output.table("Title", ("name", "to enrol it"), rows)
    for text in (wide.getvalue(), narrow.getvalue()):
        assert all(value in text for row in rows for value in row)
    assert "name         first" in narrow.getvalue()


def test_values_do_not_write_to_the_terminal(monkeypatch):
    out = at_a_terminal(monkeypatch, 80)
    output.table("Title", ("a",), [("\x1b]0;owned\x07[red]\u202eevil\r\n",)])
    assert "\x1b]" not in out.getvalue()
    assert "\u202e" not in out.getvalue()
    assert r"\x1b]0;owned\x07[red]\u202eevil\r\n" in out.getvalue()
    assert output.shown("Παπαδόπουλος^山田 می\u200cخواهم") == "Παπαδόπουλος^山田 می\u200cخواهم"


def test_failing_keeps_its_sentence_in_one_line(capsys):
    with pytest.raises(SystemExit) as end:
        output.fail(LeadglassError(ErrorCode.NOT_FOUND, "[bold]not markup[/] " + "long " * 60))
    assert end.value.code == 5
    assert "[bold]not markup[/]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (142_578_770, "142.6 MB")]
)
def test_sizes(number, text):
    assert output.size(number) == text


def test_a_progress_bar_is_for_terminals(home, tmp_path):
    """On a terminal the bar moves and is gone at the end; elsewhere nothing but the result is printed."""
    main, worker = pty.openpty()
    files = dicom_files.write(tmp_path / "files")
    command = [sys.executable, "-m", "leadglass.app", "import", *map(str, files), "--home", str(home.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=worker, text=True)
    os.close(worker)
    out, _ = process.communicate(timeout=60)
    seen = b""
    while select.select([main], [], [], 0)[0]:
        try:
            seen += os.read(main, 65536)
        except OSError:
            break
    os.close(main)
    assert f"/{len(files)}".encode() in seen
    assert "there already" in out
    assert leadglass("import", *files, home=home).err == ""
