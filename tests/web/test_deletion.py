"""DELETE puts a study into the trash and undelete brings it back; only for who may, and only what they reach."""

from __future__ import annotations

import pytest
import webbed
from objects import CT, data_set, encoded, image, read_back, store_one, study_uid, uid, whole_study
from stowing import STUDIES, part10, stow

from leadglass.app.archive import Archive
from leadglass.core.principal import SYSTEM, Right
from leadglass.core.reach import Reach


async def test_a_study_goes_to_the_trash_and_comes_back_as_it_was(archive: Archive) -> None:
    data = await store_one(archive, 1)
    await store_one(archive, 2)
    async with webbed.client(archive) as http:
        assert (await http.delete(f"{STUDIES}/{study_uid(1)}")).status_code == 204
        assert len((await http.get(STUDIES)).json()) == 1
        assert archive.trash.entries(SYSTEM)[0].principal == "tester"
        assert (await http.post(f"{STUDIES}/{study_uid(1)}/undelete")).status_code == 204
        assert len((await http.get(STUDIES)).json()) == 2
        assert (await http.post(f"{STUDIES}/{study_uid(1)}/undelete")).status_code == 404
    (found,) = await archive.retrieve.select(SYSTEM, image(1, 1))
    assert read_back(archive, found) == data


async def test_what_is_out_of_reach_looks_absent(archive: Archive) -> None:
    await store_one(archive, 1)
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({study_uid(2)})))
    async with webbed.client(archive, narrow) as http:
        answers = [await http.delete(f"{STUDIES}/{uid}") for uid in (study_uid(1), "9.9.9", "..%2f..")]
        archive.trash.delete(SYSTEM, whole_study(1), "test")
        answers += [await http.post(f"{STUDIES}/{uid}/undelete") for uid in (study_uid(1), "9.9.9")]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].content == answers[1].content
    assert answers[3].content == answers[4].content
    assert len(archive.trash.entries(SYSTEM)) == 1


@pytest.mark.parametrize("rights", [{Right.STORE, Right.FIND, Right.RETRIEVE, Right.ADMINISTER}, set()])
async def test_it_needs_the_right_to_delete(archive: Archive, rights: set[Right]) -> None:
    await store_one(archive, 1)
    async with webbed.client(archive, webbed.program("other", frozenset(rights))) as http:
        assert (await http.delete(f"{STUDIES}/{study_uid(1)}")).status_code == 403
        assert (await http.post(f"{STUDIES}/{study_uid(1)}/undelete")).status_code == 403
    assert archive.trash.entries(SYSTEM) == []


async def test_a_part_of_a_study_is_not_deleted_and_the_rest_least_of_all(archive: Archive) -> None:
    await store_one(archive, 1)
    series = f"{STUDIES}/{study_uid(1)}/series/{study_uid(1)}.1000"
    async with webbed.client(archive) as http:
        assert (await http.delete(series)).status_code in (404, 405)
        assert (await http.delete(f"{series}/instances/{study_uid(1)}.1")).status_code in (404, 405)
    assert archive.trash.entries(SYSTEM) == []


async def test_sent_again_it_comes_back(archive: Archive) -> None:
    await store_one(archive, 1)
    async with webbed.client(archive) as http:
        await http.delete(f"{STUDIES}/{study_uid(1)}")
        answer = await stow(http, part10(encoded(data_set(1, 1)), CT, uid(1, 1)))
        assert answer.status_code == 200
        assert len((await http.get(STUDIES)).json()) == 1
