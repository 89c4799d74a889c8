"""A chest radiograph: the phantom of the CT, looked through from the front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from leadglass.app.samples.body import HEIGHT, Body
from leadglass.app.samples.identifiers import random_for
from leadglass.app.samples.lettering import write
from leadglass.app.samples.solids import Grid, Plane

WIDTH_MM, LOWEST = 400.0, 70.0  # the picture starts in the upper belly
SPACING = 0.35  # millimetres between pixels
COLUMNS = round(WIDTH_MM / SPACING)
ROWS = round((HEIGHT - LOWEST) / SPACING)
DEPTH_MM, DEPTH_STEPS, ROW_STEP_MM = 260.0, 72, 2.0  # how finely the body is looked through
WHITE = 4095


def radiograph(body: Body) -> NDArray[np.uint16]:
    """Stored values, 12 bits, MONOCHROME2 (bone bright), (ROWS, COLUMNS), with a side marker burned in."""
    grid = Grid.of(DEPTH_STEPS, 320, DEPTH_MM, WIDTH_MM)
    heights = np.arange(HEIGHT - 1, LOWEST, -ROW_STEP_MM)
    thickness = DEPTH_MM / DEPTH_STEPS
    lines = np.stack([_attenuation(body.slice_at(float(z), grid, noise=0, table=False), thickness) for z in heights])
    lines += _collar_bones(lines.shape)
    film = np.asarray(Image.fromarray(lines).resize((COLUMNS, ROWS), Image.Resampling.BICUBIC), np.float32)
    low, high = np.percentile(film, (1.0, 99.6))
    tone = np.clip((film - low) / (high - low), 0, 1.05)
    tone = 0.5 * tone + 0.5 * np.sqrt(tone)  # what a detector's processing does for the dense parts
    grain = random_for(body.key, "radiograph").standard_normal(film.shape, np.float32)
    stored = np.clip(180 + tone * 3500 + grain * 28, 0, WHITE).astype(np.uint16)
    return _marked(stored)


def _attenuation(plane: Plane, thickness: float) -> Plane:
    """Line integrals from front to back: water 0.019 / mm, bone hardened a little."""
    relative = np.clip(1 + np.minimum(plane, 900) / 1000, 0, None)
    bone = np.clip(plane - 120, 0, 600) / 1000
    result: Plane = ((relative + 1.3 * bone).sum(axis=0) * thickness * 0.019).astype(np.float32)
    return result


def _collar_bones(shape: tuple[int, ...]) -> Plane:
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x = (columns + 0.5) / shape[1] * WIDTH_MM - WIDTH_MM / 2
    down = rows * ROW_STEP_MM
    side = np.abs(x)
    middle = 62 - 0.19 * side + 6 * np.sin(side / 26)
    tube = (
        np.clip(1 - ((down - middle) / 6.5) ** 2, 0, 1)
        * np.clip((side - 14) / 6, 0, 1)
        * np.clip((150 - side) / 6, 0, 1)
    )
    result: Plane = (np.sqrt(tube) * 0.55).astype(np.float32)
    return result


def _marked(stored: NDArray[np.uint16]) -> NDArray[np.uint16]:
    mark = Image.new("L", (COLUMNS, ROWS))
    draw = ImageDraw.Draw(mark)
    write(draw, (COLUMNS - 92, 40), "L", 64, 255, bold=True)
    write(draw, (COLUMNS - 124, 108), "STANDING", 22, 255)
    return np.where(np.asarray(mark) > 90, WHITE, stored).astype(np.uint16)
