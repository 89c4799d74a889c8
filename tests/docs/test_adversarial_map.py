"""docs/adversarial.md says which tests prove which hostile case: what it says is true."""

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"def test_((?:[a-h]\d+_)+)")
ROW = re.compile(r"^\| ([A-H]\d+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)


def proved():
    """By case: the files with a test whose name begins with it."""
    found = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for named in NAMED.finditer(path.read_text("utf-8")):
            for case in named[1].strip("_").split("_"):
                found[case.upper()].add(str(path.relative_to(ROOT / "tests")))
    return found


def told():
    page = (ROOT / "docs" / "adversarial.md").read_text("utf-8")
    return {row[1]: set(re.findall(r"`([^`]+)`", row[2])) for row in ROW.finditer(page)}


def test_every_case_of_the_page_is_proved_where_it_says():
    found = proved()
    assert {case: files - found[case] for case, files in told().items() if files - found[case]} == {}


def test_the_cases_of_the_dicom_door_are_there():
    wanted = [f"A{n}" for n in range(1, 18)] + ["B1", "B2", "B5", "B6"] + [f"C{n}" for n in range(4, 11)]
    wanted += [f"B{n}" for n in range(1, 9)] + [f"C{n}" for n in range(1, 13)] + [f"D{n}" for n in range(1, 8)]
    assert set(wanted) <= set(told())
