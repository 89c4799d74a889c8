"""A worker that waits for the next image waits for its principal and study alone; a fault costs one request (D6)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from objects import encoded
from pictures import colour_image, grey_image, opened, order_of

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.pictures import ENCODABLE, GIF, PNG, Annotation, Owner, PictureOrder, RenderRequest, Viewport
from leadglass.core.ports import PixelDescription
from leadglass.dicom.codestreams import read_jpeg2000_header
from leadglass.dicom.uids import EXPLICIT_VR_LE
from leadglass.sandbox.pool import SandboxPool
from leadglass.sandbox.process import Launch

ANNA, BERT = Owner("program anna", "1.2.3"), Owner("program bert", "1.2.3")
ANNA_ELSEWHERE = Owner("program anna", "1.2.4")
DESCRIPTION = PixelDescription(EXPLICIT_VR_LE, 2, 4, 1, 16, 12, 0, "MONOCHROME2", 0, 1)

FAULTY = """
import ctypes, os, time
from leadglass.sandbox import protocol, worker
from leadglass.sandbox.painter import encoded
import numpy as np

SEEN = []

class Painter:
    def __init__(self, order):
        self.left = order.frames

    def add(self, frame):
        word = bytes(frame).rstrip(b"\\0")
        if word == b"hang":
            while True:
                pass
        if word == b"crash":
            ctypes.string_at(0)
        if word == b"exit":
            os._exit(0)
        if word == b"raise":
            raise ValueError
        if word == b"huge":
            os.write(1, protocol.message(protocol.PICTURE, 1 << 62))
        if word == b"noise":
            os.write(1, b"\\xff" * 4096)
        SEEN.append(word)
        self.word = word
        self.left -= 1
        return not self.left

    def picture(self):
        if self.word == b"page":
            return b"<html><script>"
        if self.word == b"long":
            return b"\\x89PNG\\r\\n\\x1a\\n" + bytes(1 << 20)
        numbers = np.array([[os.getpid() >> 24, os.getpid() >> 16 & 255, os.getpid() >> 8 & 255, os.getpid() & 255,
                             len(SEEN)]], np.uint8)
        return encoded(numbers, "image/png", 1)

def main():
    worker.main(painter=Painter)
"""


def small(frames: int = 1) -> PictureOrder:
    pixels = np.zeros((frames, 4, 4), np.uint8)
    wanted = RenderRequest(media_type=PNG if frames == 1 else GIF)
    return order_of(encoded(grey_image(pixels)), EXPLICIT_VR_LE, range(frames), wanted)[0]


ORDER = small()


def asked(pool: SandboxPool, owner: Owner, word: bytes = b"good") -> tuple[int, int]:
    """Process and how many frames it has seen."""
    numbers = opened(pool.picture(owner, ORDER, [word.ljust(16, b"\0")])).reshape(-1).tolist()
    return int.from_bytes(bytes(numbers[:4]), "big"), numbers[4]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faulty_painter.py").write_text(FAULTY)
    return Launch("faulty_painter", (str(folder),))


@pytest.fixture
def pool(faulty: Launch) -> Iterator[SandboxPool]:
    pool = SandboxPool(2, frame_seconds=2.0, picture_wait_seconds=0.2, idle_leases=3, launch=faulty)
    yield pool
    pool.close()


def test_the_same_principal_and_study_go_on_with_their_worker(pool: SandboxPool) -> None:
    first, second = asked(pool, ANNA), asked(pool, ANNA)
    assert first[0] == second[0]
    assert (first[1], second[1]) == (1, 2)


def test_no_worker_serves_two_principals_or_two_studies(pool: SandboxPool) -> None:
    owners = [ANNA, BERT, ANNA_ELSEWHERE, ANNA, BERT, ANNA_ELSEWHERE]
    seen = [(owner, asked(pool, owner)[0]) for owner in owners]
    served: dict[int, set[Owner]] = {}
    for owner, pid in seen:
        served.setdefault(pid, set()).add(owner)
    assert all(len(served_owners) == 1 for served_owners in served.values())
    assert len(served) == 3


def test_leases_are_bounded_and_the_longest_idle_ends(pool: SandboxPool) -> None:
    pids = [asked(pool, Owner("program many", str(number)))[0] for number in range(4)]
    assert [Path(f"/proc/{pid}").exists() for pid in pids] == [False, True, True, True]


def test_an_idle_lease_ends_by_itself(faulty: Launch) -> None:
    pool = SandboxPool(1, spares=0, idle_seconds=0.05, launch=faulty)
    pid, _ = asked(pool, ANNA)
    for _ in range(400):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
    assert asked(pool, ANNA)[1] == 1
    pool.close()


def test_close_ends_the_leases(pool: SandboxPool) -> None:
    pid, _ = asked(pool, ANNA)
    pool.close()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("fault", ["hang", "crash", "exit", "raise", "huge", "noise", "page", "long"])
def test_d6_a_fault_costs_one_request_and_the_next_works(pool: SandboxPool, fault: str) -> None:
    asked(pool, ANNA)
    with pytest.raises(LeadglassError) as caught:
        asked(pool, ANNA, fault.encode())
    assert caught.value.code is ErrorCode.CANNOT_CONVERT
    assert asked(pool, ANNA)[0]


def test_what_a_codec_refuses_does_not_cost_the_worker(pool: SandboxPool) -> None:
    """It says so itself and goes on for the same principal and study: no start for every damaged image of a study."""
    pid, _ = asked(pool, ANNA)
    with pytest.raises(LeadglassError):
        asked(pool, ANNA, b"raise")
    assert asked(pool, ANNA)[0] == pid


def test_d6_a_fault_amid_an_animation_costs_one_request(pool: SandboxPool) -> None:
    order = small(3)
    for fault in (b"raise", b"crash"):
        with pytest.raises(LeadglassError) as caught:
            pool.picture(ANNA, order, [b"good", fault, b"good"])
        assert caught.value.code is ErrorCode.CANNOT_CONVERT
        assert asked(pool, ANNA)[0]


def test_fewer_or_more_frames_than_announced_are_an_error(pool: SandboxPool) -> None:
    for frames in ([], [b"good", b"good"]):
        with pytest.raises(LeadglassError):
            pool.picture(ANNA, ORDER, frames)
    assert asked(pool, ANNA)[0]


def test_somebody_beside_a_hanging_job_is_served_and_a_full_pool_says_so(pool: SandboxPool) -> None:
    failed = []

    def hang() -> None:
        try:
            asked(pool, BERT, b"hang")
        except LeadglassError as error:
            failed.append(error.code)

    threads = [threading.Thread(target=hang) for _ in range(2)]
    threads[0].start()
    assert asked(pool, ANNA)[0]
    threads[1].start()
    while pool._slots._value:
        time.sleep(0.01)
    with pytest.raises(LeadglassError) as caught:
        asked(pool, ANNA)
    assert caught.value.code is ErrorCode.UNAVAILABLE
    for thread in threads:
        thread.join(30)
    assert failed == [ErrorCode.CANNOT_CONVERT] * 2
    assert asked(pool, ANNA)[0]


def test_a_worker_killed_while_idle_is_replaced(pool: SandboxPool) -> None:
    pid, _ = asked(pool, ANNA)
    os.kill(pid, 9)
    while Path(f"/proc/{pid}/stat").read_text().split()[2] not in ("Z", "X"):
        time.sleep(0.01)
    assert asked(pool, ANNA)[0] != pid


# --- the real worker, in its cage ---


@pytest.fixture(scope="module")
def real() -> Iterator[SandboxPool]:
    pool = SandboxPool(1)
    yield pool
    pool.close()


@pytest.mark.parametrize("media_type", [PNG, "image/jpeg", GIF])
def test_a_confined_worker_makes_every_kind_of_picture(real: SandboxPool, media_type: str) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    made = grey_image(pixels, PatientName="Notreal^Figment", PatientID="X")
    request = RenderRequest(media_type, viewport=Viewport(100, 100), annotation=frozenset(Annotation))
    order, frames = order_of(encoded(made), EXPLICIT_VR_LE, [0], request)
    assert opened(real.picture(ANNA, order, frames)).shape[:2] == (100, 100)


def test_a_confined_worker_makes_an_animation_in_colour(real: SandboxPool) -> None:
    frames = np.random.default_rng(3).integers(0, 255, (16, 16, 3), np.uint8)
    made = colour_image(frames, NumberOfFrames=3, PixelData=frames.tobytes() * 3)
    order, pieces = order_of(encoded(made), EXPLICIT_VR_LE, [0, 1, 2], RenderRequest(GIF))
    assert real.picture(ANNA, order, iter(pieces)).startswith(b"GIF89a")


@pytest.mark.parametrize("target", ENCODABLE)
@pytest.mark.parametrize(("kind", "samples"), [("<u2", 1), ("<i2", 1), ("u1", 1), ("u1", 3)])
def test_frames_become_high_throughput_and_come_back(real: SandboxPool, target: str, kind: str, samples: int) -> None:
    pixels = (np.random.default_rng(4).integers(0, 200, (24, 40, samples)) - (90 if "i" in kind else 0)).astype(kind)
    pixels = pixels if samples == 3 else pixels[..., 0]
    description = PixelDescription(
        EXPLICIT_VR_LE, 24, 40, samples, 8 * pixels.itemsize, 8 * pixels.itemsize, int("i" in kind), "RGB", 0, 1
    )
    made = real.encode(ANNA, description, target, pixels.tobytes())
    header = read_jpeg2000_header(made)
    assert (header.rows, header.columns, header.samples) == (24, 40, samples)
    back = imagecodecs.jpeg2k_decode(made)
    if target == ENCODABLE[2]:
        assert np.abs(back.astype(int) - pixels.astype(int)).max() <= 3
    else:
        assert np.array_equal(back, pixels)


def test_a_frame_that_is_too_short_is_not_encoded(real: SandboxPool) -> None:
    with pytest.raises(LeadglassError) as caught:
        real.encode(ANNA, DESCRIPTION, ENCODABLE[0], b"short")
    assert caught.value.code is ErrorCode.CANNOT_CONVERT
    with pytest.raises(LeadglassError):
        real.encode(ANNA, DESCRIPTION, EXPLICIT_VR_LE, bytes(16))


def test_d5_a_frame_of_another_size_than_it_says_is_refused(real: SandboxPool) -> None:
    """The codestream is larger than the data set says."""
    stream = imagecodecs.jpeg8_encode(np.zeros((64, 64), np.uint8))
    order = replace(
        ORDER,
        form=replace(
            ORDER.form,
            encapsulated=True,
            description=replace(ORDER.form.description, transfer_syntax_uid="1.2.840.10008.1.2.4.50"),
        ),
    )
    with pytest.raises(LeadglassError) as caught:
        real.picture(ANNA, order, [bytes(stream)])
    assert caught.value.code is ErrorCode.CANNOT_CONVERT


NOISE = np.random.default_rng(5).integers(0, 4096, (32, 32)).astype(np.uint16)
COLOUR = np.random.default_rng(6).integers(0, 256, (32, 32, 3), np.uint8)
KINDS = {
    "no window": grey_image(NOISE),
    "no window, padded": grey_image(NOISE, PixelPaddingValue=5),
    "no window, signed": grey_image(NOISE.view(np.int16)),
    "no window, 32 bits": grey_image(NOISE.astype(np.uint32)),
    "sigmoid": grey_image(NOISE, WindowCenter="5", WindowWidth="9", VOILUTFunction="SIGMOID"),
    "inverse": grey_image(NOISE, PhotometricInterpretation="MONOCHROME1"),
    "rescaled": grey_image(NOISE, RescaleSlope="2.5", RescaleIntercept="-7"),
    "colour": colour_image(COLOUR),
    "luminance": colour_image(COLOUR, PhotometricInterpretation="YBR_FULL"),
    "halved": colour_image(COLOUR, PhotometricInterpretation="YBR_FULL_422"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "viewport", [None, Viewport(20, 20), Viewport(70, 70, 3, 3, -8, -8)], ids=["", "smaller", "larger"]
)
def test_nothing_that_pictures_need_is_loaded_too_late(real: SandboxPool, kind: str, viewport: Viewport | None) -> None:
    """A confined worker opens no file any more: what was not loaded before would fail."""
    order, frames = order_of(encoded(KINDS[kind]), EXPLICIT_VR_LE, [0], RenderRequest(PNG, viewport=viewport))
    assert opened(real.picture(ANNA, order, frames)).size
