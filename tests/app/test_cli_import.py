"""`leadglass import`: what is readable comes in, whatever lies beside it; hostile containers stay within limits."""

import os
import struct
import zipfile
from pathlib import Path

import archives
import dicom_files
import pytest
from commanding import leadglass
from pydicom.fileset import FileSet

from leadglass.core.limits import MAX_ZIP_ENTRIES


@pytest.fixture
def home(tmp_path):
    return archives.make(tmp_path, [])


@pytest.fixture
def files(tmp_path):
    return dicom_files.write(tmp_path / "files")


def stored(home):
    return leadglass("stats", "--json", home=home).json["instances"]


def reasons(done):
    return {Path(item["file"]).name: item["reason"] for item in done.json["unreadable"]}


def test_a_folder_comes_in_whole_and_a_second_time_stores_nothing(home, files):
    done = leadglass("import", files[0].parent, home=home)
    assert (done.code, done.out) == (0, f"Stored {len(files)}, there already 0, not imported 0.\n")
    again = leadglass("import", files[0].parent, "--json", home=home)
    assert (again.code, again.json) == (0, {"stored": 0, "already": len(files), "unreadable": []})
    assert stored(home) == len(files)


def test_what_cannot_be_read_is_listed_and_the_rest_comes_in(home, files):
    folder = files[0].parent
    (folder / "deep" / "er").mkdir(parents=True)
    files[0].rename(folder / "deep" / "er" / "moved")
    (folder / "a-note.txt").write_text("not a DICOM file")
    (folder / "b-empty").touch()
    (folder / "c-cut.dcm").write_bytes(files[1].read_bytes()[:-100])
    (folder / "d-link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "e-pipe")
    (folder / "f-broken.zip").write_bytes(b"PK\x03\x04" + bytes(50))
    done = leadglass("import", folder, folder / "absent", "--json", home=home)
    assert done.code == 10
    assert done.json["stored"] == len(files)
    found = reasons(done)
    assert set(found) == {"a-note.txt", "b-empty", "c-cut.dcm", "d-link", "e-pipe", "f-broken.zip", "absent"}
    assert "symbolic link" in found["d-link"]
    assert "no regular file" in found["e-pipe"]
    assert "damaged ZIP" in found["f-broken.zip"]
    assert found["absent"] == "is not there"


def test_names_cannot_write_to_the_terminal(home, tmp_path):
    folder = tmp_path / "names"
    folder.mkdir()
    (folder / "\x1b[2Jclear\nline").write_text("x")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe")).write_text("x")
    done = leadglass("import", folder, home=home)
    assert done.code == 10
    assert "\x1b" not in done.err
    assert r"\x1b[2Jclear\nline" in done.err
    assert len(done.err.splitlines()) == 2
    as_json = leadglass("import", folder, "--json", home=home)
    assert len(as_json.json["unreadable"]) == 2


# --- ZIP ----------------------------------------------------------------------------------------------------------


def zipped(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def test_b8_a_zip_is_read_and_its_names_never_become_paths(home, files, tmp_path):
    names = ["../../escaped.dcm", "/etc/absolute.dcm", "C:\\con.dcm", "a/../../b", "NUL", "DICOMDIR", "x" * 5000]
    entries = [(name, file.read_bytes()) for name, file in zip(names, files, strict=True)]
    before = {path for path in tmp_path.rglob("*") if "archive" not in path.parts}
    path = zipped(tmp_path / "hostile.zip", entries)
    done = leadglass("import", path, "--json", home=home)
    assert (done.code, done.json["stored"]) == (0, len(files) - 1)  # one is called DICOMDIR, and is none of ours
    assert {path for path in tmp_path.rglob("*") if "archive" not in path.parts} == before | {path}
    assert not Path("/etc/absolute.dcm").exists()


def test_a_zip_with_other_things_in_it(home, files, tmp_path):
    inner = zipped(tmp_path / "inner.zip", [("a.dcm", files[0].read_bytes())]).read_bytes()
    path = zipped(tmp_path / "mixed.zip", [("a.dcm", files[0].read_bytes()), ("readme", b"hello"), ("in.zip", inner)])
    done = leadglass("import", path, "--json", home=home)
    assert (done.code, done.json["stored"]) == (10, 1)
    assert [item["reason"] for item in done.json["unreadable"]] == [
        "This is not a DICOM file",
        "is a ZIP within a ZIP, not opened",
    ]


def test_a_damaged_entry_does_not_keep_the_others_out(home, files, tmp_path):
    path = zipped(tmp_path / "bits.zip", [(file.name, file.read_bytes()) for file in files], zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[len(files[0].read_bytes()) // 2] ^= 1
    path.write_bytes(content)
    done = leadglass("import", path, "--json", home=home)
    assert (done.code, done.json["stored"], len(done.json["unreadable"])) == (10, len(files) - 1, 1)
    assert stored(home) == len(files) - 1


def test_c3_a_bomb_is_refused_by_what_it_says_of_itself(home, tmp_path):
    path = zipped(tmp_path / "bomb.zip", [("zeros", bytes(100_000_000))])
    assert path.stat().st_size < 200_000
    done = leadglass("import", path, "--json", home=home)
    assert "times its size" in reasons(done)["bomb.zip"]


def test_c3_a_bomb_that_lies_about_its_size_gives_no_more_than_it_said(home, tmp_path):
    path = zipped(tmp_path / "liar.zip", [("zeros", bytes(100_000_000))])
    content = bytearray(path.read_bytes())
    for at in (content.index(b"PK\x01\x02") + 24, 22):
        struct.pack_into("<I", content, at, 4096)
    path.write_bytes(content)
    done = leadglass("import", path, "--json", home=home)
    assert (done.code, done.json["stored"], len(done.json["unreadable"])) == (10, 0, 1)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_c3_ways_to_compress_that_have_no_bound_are_not_read(home, files, tmp_path, method):
    path = zipped(tmp_path / "odd.zip", [("a.dcm", files[0].read_bytes())], method)
    done = leadglass("import", path, "--json", home=home)
    assert "not taken" in done.json["unreadable"][0]["reason"]


def test_c3_a_directory_too_large_to_be_held_is_not_read(home, tmp_path, monkeypatch):
    path = tmp_path / "many.zip"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 200 * MAX_ZIP_ENTRIES + 1, 0, 0)
    path.write_bytes(b"PK\x03\x04" + bytes(100) + end)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("the directory was read"))
    done = leadglass("import", path, "--json", home=home)
    assert "entries" in reasons(done)["many.zip"]


def test_a_dicom_file_with_a_zip_behind_it_is_a_dicom_file(home, files, tmp_path):
    tail = zipped(tmp_path / "tail.zip", [("other.dcm", files[1].read_bytes())]).read_bytes()
    both = tmp_path / "both.dcm"
    both.write_bytes(b"PK\x03\x04" + files[0].read_bytes()[4:])
    done = leadglass("import", both, "--json", home=home)
    assert done.json["stored"] == 1
    both.write_bytes(files[1].read_bytes() + tail)
    done = leadglass("import", both, "--json", home=home)
    assert done.json["stored"] == 0  # trailing bytes are no data set, and the ZIP in them was not looked into
    assert stored(home) == 1


# --- DICOMDIR -----------------------------------------------------------------------------------------------------


@pytest.fixture
def disc(files, tmp_path):
    """A file set made by pydicom."""
    listing = FileSet()
    for path in files:
        listing.add(path)
    listing.write(tmp_path / "disc")
    return tmp_path / "disc"


def test_a_dicomdir_brings_in_what_it_refers_to(home, files, disc):
    (disc / "not-listed.dcm").write_bytes(b"nothing")
    done = leadglass("import", disc / "DICOMDIR", "--json", home=home)
    assert (done.code, done.json["stored"]) == (0, len(files))


def test_a_disc_mounted_in_small_letters_is_found(home, files, disc):
    for path in sorted(disc.rglob("*"), key=lambda item: -len(item.parts)):
        path.rename(path.with_name(path.name.lower()))
    (disc / "dicomdir").rename(disc / "DICOMDIR")
    done = leadglass("import", disc / "DICOMDIR", "--json", home=home)
    assert (done.code, done.json["stored"]) == (0, len(files))


def test_b8_a_dicomdir_does_not_reach_outside_its_folder(home, files, disc, tmp_path):
    secret = tmp_path / "IM000000"
    secret.write_bytes(files[0].read_bytes())
    content = (disc / "DICOMDIR").read_bytes()
    name = rb"PT000000\ST000000\SE000000\IM000000"
    assert content.count(name) == 1
    (disc / "DICOMDIR").write_bytes(content.replace(name, rb"..\IM000000".ljust(len(name))))
    inside = disc / "PT000000" / "ST000000" / "SE000000" / "IM000001"
    inside.unlink()
    inside.symlink_to(secret)
    done = leadglass("import", disc / "DICOMDIR", "--json", home=home)
    assert (done.code, done.json["stored"], len(done.json["unreadable"])) == (10, len(files) - 2, 2)


def test_a_dicomdir_that_is_none(home, tmp_path):
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + os.urandom(3000))
    done = leadglass("import", tmp_path / "DICOMDIR", home=home)
    assert done.code == 10


# --- going on -----------------------------------------------------------------------------------------------------


def test_interrupted_it_keeps_what_it_has_and_goes_on_later(home, files, monkeypatch):
    from leadglass.app import importing

    looked = []

    def impatient(file):
        looked.append(file)
        if len(looked) == 4:
            raise KeyboardInterrupt
        return look(file)

    look = importing.look
    monkeypatch.setattr(importing, "look", impatient)
    done = leadglass("import", files[0].parent, home=home)
    assert done.code == 130
    assert "Stored 3" in done.out
    assert "goes on where it ended" in done.err
    monkeypatch.undo()
    done = leadglass("import", files[0].parent, "--json", home=home)
    assert (done.code, done.json["stored"], done.json["already"]) == (0, len(files) - 3, 3)


def test_an_import_is_in_the_journal(home, files):
    leadglass("import", files[0], home=home)
    entries = leadglass("journal", "show", "--kind", "data-import", "--json", home=home).json
    assert [entry["details"]["stored"] for entry in entries if entry["what"] == "imported"] == [1]
