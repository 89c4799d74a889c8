"""A beating heart in an ultrasound sector, in colour, with the patient's name and the date in the picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from leadglass.app.samples.blank import HOSPITAL, Study
from leadglass.app.samples.identifiers import random_for
from leadglass.app.samples.lettering import write
from leadglass.app.samples.solids import Plane

WIDTH, HEIGHT, FRAMES = 640, 480, 20
FRAME_TIME_MS = 45.0
APEX = (320.0, 42.0)  # pixels
DEPTH_PIXELS = 410.0
DEPTH_CM = 16.0
HALF_ANGLE = math.radians(40)
BEAMS, SAMPLES = 220, 440
SECTOR_BOX = (56, 42, 584, 456)  # left, top, right, bottom of the region with echoes


def ultrasound(study: Study) -> NDArray[np.uint8]:
    """RGB frames, (FRAMES, HEIGHT, WIDTH, 3): one heart beat."""
    beams, samples, visible = _scan_conversion()
    random = random_for(study.key, "speckle")
    speckle = _speckle(random)
    overlay, drawn = _lettered(study)
    frames = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for number in range(FRAMES):
        beat = 0.5 - 0.5 * math.cos(2 * math.pi * number / FRAMES)  # 0 filled, 1 emptied
        echoes, flow = _echoes(beat, speckle)
        colour = _coloured(echoes, flow)[samples, beams] * visible[..., None]
        frames[number] = np.where(drawn[..., None], overlay, colour)
        frames[number, 440:452, 8 : 8 + 5 * number + 5] = (60, 200, 90)  # where in the beat we are
    return frames


def _scan_conversion() -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """For each pixel of the picture: which beam, which sample of it, and whether it is in the sector."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    distance = np.hypot(x - APEX[0], y - APEX[1])
    angle = np.arctan2(x - APEX[0], y - APEX[1])
    visible = (distance > 6) & (distance < DEPTH_PIXELS) & (np.abs(angle) < HALF_ANGLE)
    beams = np.clip((angle / HALF_ANGLE + 1) / 2 * BEAMS, 0, BEAMS - 1).astype(np.intp)
    samples = np.clip(distance / DEPTH_PIXELS * SAMPLES, 0, SAMPLES - 1).astype(np.intp)
    return beams, samples, visible


def _speckle(random: np.random.Generator) -> Plane:
    """Interfering echoes: Rayleigh distributed, longer across the beam than along it."""
    field = random.standard_normal((SAMPLES, BEAMS)) + 1j * random.standard_normal((SAMPLES, BEAMS))
    for axis, width in ((0, 2), (1, 2)):
        field = sum((np.roll(field, shift, axis) for shift in range(-width, width + 1)), np.zeros_like(field))
    magnitude = np.abs(field)
    result: Plane = (magnitude / magnitude.mean()).astype(np.float32)
    return result


def _echoes(beat: float, speckle: Plane) -> tuple[Plane, Plane]:
    """Brightness 0..1 and blood velocity -1..1 by sample and beam: a four chamber view from the apex."""
    depth = (np.arange(SAMPLES, dtype=np.float32) / SAMPLES * DEPTH_CM)[:, None]
    angle = ((np.arange(BEAMS, dtype=np.float32) + 0.5) / BEAMS * 2 - 1)[None, :] * HALF_ANGLE
    x, y = depth * np.sin(angle), depth * np.cos(angle)
    tissue = np.full((SAMPLES, BEAMS), 0.13, np.float32)
    tissue += 0.25 * np.exp(-(((y - 0.6) / 0.7) ** 2))  # skin and chest wall

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> Plane:
        result: Plane = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2).astype(np.float32)
        return result

    def fill(shape: Plane, value: float) -> None:
        cover = np.clip((1 - shape) * 9 + 0.5, 0, 1)
        tissue[:] += cover * (value - tissue)

    squeeze = 1 - 0.26 * beat
    valve = 8.6 - 0.9 * beat  # the plane of the valves is drawn towards the apex
    fill(ellipse(0, 8.2, 5.0, 6.6), 0.62)  # the sac around the heart
    fill(ellipse(0, 8.2, 4.85, 6.4), 0.36)  # muscle
    left = ellipse(1.75, valve - 2.3, 1.75 * squeeze, 3.1 * (1 - 0.1 * beat))
    fill(left, 0.03)
    fill(ellipse(-2.0, valve - 1.9, 1.35 * squeeze, 2.5), 0.03)
    fill(ellipse(1.9, valve + 2.2, 1.9 * (1 + 0.12 * beat), 1.75), 0.03)
    fill(ellipse(-2.0, valve + 2.1, 1.8 * (1 + 0.1 * beat), 1.6), 0.03)
    opening = max(0.0, 1 - 2.2 * beat)  # leaflets hang open while the chamber fills
    for hinge, inward in ((0.15, 1), (3.45, -1), (-3.6, 1), (-0.4, -1)):
        along = np.clip((x - hinge) * inward / 1.6, 0, 1)
        leaf = valve - opening * along * 1.5 + 0.15 * (1 - opening) * along
        near = ((x - hinge) * inward > 0) & ((x - hinge) * inward < 1.6 - 0.7 * opening)
        tissue[:] = np.where(near & (np.abs(y - leaf) < 0.13), 0.9, tissue)
    jet = np.exp(-(((x - 1.8) / 0.75) ** 2)) * (np.abs(y - valve + 1.5) < 2.6) * (left < 0.95)
    velocity = (0.9 * opening - 0.75 * max(0.0, math.sin(math.pi * min(1.0, beat * 1.2))) * (1 - opening)) * jet
    fading = np.exp(-np.clip(depth - 9, 0, None) / 9)
    bright = np.clip(0.5 * np.log10(1 + 9 * tissue * speckle * fading) * 1.35, 0, 1)
    return bright.astype(np.float32), np.where(tissue < 0.1, velocity * np.clip(speckle, 0.6, 1.2), 0).astype(
        np.float32
    )


def _coloured(echoes: Plane, flow: Plane) -> NDArray[np.uint8]:
    """Grey echoes; flow towards the probe red to yellow, away from it blue to cyan."""
    grey = np.repeat((echoes * 255)[..., None], 3, axis=2)
    speed = np.clip(np.abs(flow), 0, 1)[..., None]
    towards = np.concatenate((120 + 135 * speed, 210 * speed**2, 0 * speed), axis=2)
    away = np.concatenate((0 * speed, 190 * speed**2, 120 + 135 * speed), axis=2)
    moving = np.where(flow[..., None] > 0, towards, away)
    return np.where(speed > 0.12, moving, grey).astype(np.uint8)


def _lettered(study: Study) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The writing around the sector, and where it is."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(picture)
    patient, date = study.patient, study.date
    draw.rectangle((0, 0, WIDTH, 38), fill=(22, 26, 34))
    write(draw, (8, 3), patient.latin_name, 16, (240, 240, 240))
    write(
        draw,
        (8, 21),
        f"ID {patient.patient_id}   born {patient.birth_date[6:]}.{patient.birth_date[4:6]}.{patient.birth_date[:4]}",
        12,
        (200, 200, 210),
    )
    write(draw, (392, 3), f"{date[6:]}.{date[4:6]}.{date[:4]}  {study.time[:2]}:{study.time[2:4]}", 16, (240, 240, 240))
    write(draw, (392, 21), HOSPITAL, 12, (200, 200, 210))
    for line, text in enumerate(("Adult Echo", "S4-2  3.1 MHz", "16 cm", "C 52", "MI 1.1  TIs 0.8")):
        write(draw, (8, 52 + 17 * line), text, 12, (170, 200, 170))
    for centimetre in range(int(DEPTH_CM) + 1):
        height = int(APEX[1] + centimetre / DEPTH_CM * DEPTH_PIXELS)
        draw.line((612, height, 622 if centimetre % 5 else 630, height), fill=(220, 220, 220))
    for step in range(100):
        speed = step / 50 - 1
        shade = (
            (120 - int(135 * speed), int(210 * speed**2), 0)
            if speed < 0
            else (0, int(190 * speed**2), 120 + int(135 * speed))
        )
        draw.line((596, 70 + step, 606, 70 + step), fill=shade)
    letters: NDArray[np.uint8] = np.asarray(picture)
    drawn: NDArray[np.bool_] = np.any(letters, axis=2)
    return letters, drawn
