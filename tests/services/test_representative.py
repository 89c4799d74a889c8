"""What stands for a study or a series: a middle image, not a localiser, a screen or a report."""

from __future__ import annotations

from leadglass.core.identity import InstanceIdentity, PatientKey
from leadglass.core.records import Location, StoredInstance
from leadglass.services.representative import MOST_CANDIDATES, representatives

ROOT = "1.2.840.10008.5.1.4.1.1."
CT, CAPTURE, REPORT, SEGMENTATION = ROOT + "2", ROOT + "7", ROOT + "88.11", ROOT + "66.4"


def stored(sop_class: str, series: int, number: int) -> StoredInstance:
    identity = InstanceIdentity(sop_class, f"1.{series}.{number}", "1", f"1.{series}", PatientKey("", "P"))
    return StoredInstance(identity, "1.2.840.10008.1.2.1", Location("0" * 32, 0, 0), b"", b"")


def series(sop_class: str, number: int, length: int) -> list[StoredInstance]:
    return [stored(sop_class, number, place) for place in range(1, length + 1)]


def chosen(*found: list[StoredInstance]) -> list[str]:
    return [item.identity.sop_instance_uid for item in representatives([item for part in found for item in part])]


def test_a_series_is_shown_by_its_middle() -> None:
    assert chosen(series(CT, 1, 1)) == ["1.1.1"]
    assert chosen(series(CT, 1, 9)) == ["1.1.5"]


def test_a_study_is_shown_by_its_longest_series_of_images() -> None:
    assert chosen(series(CT, 1, 2), series(CT, 2, 40), series(CT, 3, 10))[0] == "1.2.21"


def test_screens_segmentations_and_reports_come_behind_images() -> None:
    parts = series(CAPTURE, 1, 50), series(REPORT, 2, 60), series(SEGMENTATION, 3, 70), series(CT, 4, 1)
    assert chosen(*parts) == ["1.4.1", "1.3.36", "1.1.26", "1.2.31"]


def test_a_report_among_images_of_one_series_is_passed_over() -> None:
    assert chosen([stored(REPORT, 1, 1), stored(REPORT, 1, 2), stored(CT, 1, 3)]) == ["1.1.3"]


def test_a_study_of_reports_is_shown_by_one() -> None:
    assert chosen(series(REPORT, 1, 3)) == ["1.1.2"]
    assert chosen() == []


def test_a_study_of_very_many_series_gives_few_candidates() -> None:
    assert len(chosen(*(series(CT, number, 1) for number in range(500)))) == MOST_CANDIDATES
