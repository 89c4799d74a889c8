"""A data set comes back as it was on the wire, byte for byte, for all of the collections of pydicom."""

from pathlib import Path

import pytest
from archives import device, make
from asking import Asker, Given
from collection import Specimen, collection
from hosting import hosted
from refused import REFUSED

SPECIMENS = collection()
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # what a file without a SOP class is announced as


def announced(item: Specimen) -> Given:
    """How a sender would announce it; what a file does not have is made up, so that the archive is asked at all."""
    instance = item.sop_instance or f"1.2.3.{SPECIMENS.index(item)}"
    return Given(item.sop_class or SECONDARY_CAPTURE, instance, item.syntax, item.data)


def rounds() -> list[list[Specimen]]:
    """The collection in groups in which no SOP Instance UID comes twice: many files are variants of one instance."""
    groups: list[dict[str, Specimen]] = []
    for item in SPECIMENS:
        for group in groups:
            other = group.get(announced(item).sop_instance)
            if other is None or (other.data, other.syntax) == (item.data, item.syntax):
                break
        else:
            group = {}
            groups.append(group)
        group.setdefault(announced(item).sop_instance, item)
    return [list(group.values()) for group in groups]


ROUNDS = rounds()


@pytest.mark.parametrize("number", range(len(ROUNDS)))
async def test_data_sets_come_back_as_they_were(number: int, tmp_path: Path) -> None:
    specimens = ROUNDS[number]
    given = [announced(item) for item in specimens]
    async with hosted(make(tmp_path, [device("asker")])) as port:
        asker = Asker(port, "ASKER")
        answers = await asker.store(given)
        kept = [item for item, answer in zip(given, answers, strict=True) if answer.status == 0]
        came = await asker.get(kept)
    wrong = []
    for item, sent, answer in zip(specimens, given, answers, strict=True):
        reason = REFUSED.get(item.name)
        if reason is None and answer.status != 0:
            wrong.append((item.name, answer))
        elif reason is not None and (answer.status == 0 or reason not in answer.comment):
            wrong.append((item.name, answer, reason))
        elif reason is None and came.get(item.sop_instance) != sent:
            wrong.append((item.name, "other bytes"))
    assert not wrong, "\n".join(map(str, wrong))


def test_what_cannot_be_catalogued_is_listed() -> None:
    """Each file without the four UIDs is in the list of refusals; all in the list are in the collection."""
    assert {item.name for item in SPECIMENS if not item.identified} <= REFUSED.keys()
    assert REFUSED.keys() <= {item.name for item in SPECIMENS}
