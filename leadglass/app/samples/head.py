"""A head as an MR scanner sees it: tissues cut at any height, and what each sequence makes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leadglass.app.samples.identifiers import random_for
from leadglass.app.samples.solids import Ellipsoid, Grid, Plane, coverage, ellipse_radius, paint_ellipse

HEIGHT = 144.0  # from the chin side of the cerebellum to the crown
FIELD = 230.0


@dataclass(frozen=True, slots=True)
class Sequence:
    """One MR sequence: how bright each tissue is (0..1000), and the numbers a viewer shows."""

    description: str
    size: int
    repetition_ms: float
    echo_ms: float
    inversion_ms: float
    fat: float
    bone: float
    fluid: float
    grey: float
    white: float
    nuclei: float
    lesion: float
    noise: float
    b_value: float = 0.0


SEQUENCES = (
    Sequence("T1 SE tra", 256, 550, 12, 0, 880, 60, 110, 400, 560, 470, 330, 16),
    Sequence("T2 TSE tra", 256, 4500, 98, 0, 690, 70, 900, 510, 330, 420, 760, 18),
    Sequence("FLAIR tra", 256, 9000, 110, 2500, 560, 50, 70, 470, 340, 390, 860, 18),
    Sequence("DWI b1000 tra", 128, 5200, 84, 0, 60, 10, 40, 260, 215, 235, 880, 26, 1000),
)


@dataclass(frozen=True)
class Head:
    """One head; `key` decides folds and noise, `lesion` whether something bright lies in the left hemisphere."""

    key: str
    lesion: bool = False

    def slice_at(self, z: float, sequence: Sequence) -> NDArray[np.uint16]:
        """The cut at height `z` as stored values, 12 bits, (size, size); drawn twice as fine and averaged."""
        fine = Grid.square(sequence.size * 2, FIELD)
        plane = self._paint(z, sequence, fine)
        size = sequence.size
        coil = 1.0 + 0.12 * (fine.y / 100) ** 2 + 0.0 * fine.x  # a surface coil is brighter at the rim
        means = (plane * coil).reshape(size, 2, size, 2).mean(axis=(1, 3))
        random = random_for(self.key, sequence.description, round(z * 10))
        real = means + random.normal(0, sequence.noise, means.shape)
        imaginary = random.normal(0, sequence.noise, means.shape)
        magnitude: NDArray[np.uint16] = np.clip(np.hypot(real, imaginary), 0, 4095).astype(np.uint16)  # Rician noise
        return magnitude

    def _paint(self, z: float, sequence: Sequence, grid: Grid) -> Plane:
        plane = np.zeros(grid.shape, np.float32)
        level = (z - 48) / 100  # the head is widest at 48 mm
        shrink = math.sqrt(max(0.05, 1 - level * level * (1.0 if level > 0 else 0.55)))
        axes = (76 * shrink, 97 * shrink)
        for inset, value in (
            (0.0, sequence.grey * 0.8),  # skin
            (1.5, sequence.fat),
            (6.0, sequence.bone),
            (8.5, sequence.fat * 0.5),  # marrow of the skull
            (10.0, sequence.bone),
            (12.5, sequence.fluid),
        ):
            paint_ellipse(plane, grid, (0, 0), (axes[0] - inset, axes[1] - inset), value)
        brain = (axes[0] - 14, axes[1] - 14)
        if z < 26:
            self._hindbrain(plane, grid, z, sequence, brain)
        else:
            self._cerebrum(plane, grid, z, sequence, brain)
        if z < 22:
            _eyes(plane, grid, z, sequence, axes)
        return plane

    def _cerebrum(self, plane: Plane, grid: Grid, z: float, sequence: Sequence, brain: tuple[float, float]) -> None:
        random = random_for(self.key, "folds")
        phase = (random.uniform(0, 6.28, 4) + z * np.array((0.06, -0.045, 0.035, 0.08))).tolist()
        angle = np.arctan2(grid.x, grid.y + 0.0 * grid.x)
        fold = (
            np.sin(13 * angle + phase[0] + 1.4 * np.sin(3 * angle + phase[1]))
            + 0.7 * np.sin(23 * angle + phase[2] + np.sin(5 * angle + phase[3]))
        ) / 1.7
        radius = ellipse_radius(grid, (0, 0), brain)
        inside = coverage(radius, brain)
        depth = (1 - radius) * min(brain)  # millimetres under the surface
        plane += inside * (sequence.grey - plane)
        furrow = inside * np.clip((fold - 0.62) * 4, 0, 1) * np.clip((11 - depth) / 3, 0, 1)
        white = np.clip((depth - 5.5 - 9.5 * np.clip(fold + 0.35, 0, 1.4)) / 1.2 + 0.5, 0, 1)
        plane += white * (sequence.white - plane)
        plane += (furrow * (sequence.fluid - plane)).astype(np.float32)
        cleft = np.clip(1.6 - np.abs(grid.x) - 0.5 * np.sin(grid.y / 6 + phase[0]), 0, 1)
        long_cleft = (np.abs(grid.y) > 34) | (z > 84)
        plane += (inside * cleft * long_cleft * (sequence.fluid - plane)).astype(np.float32)
        ribbon = np.clip(5.0 - np.abs(np.abs(grid.x) - 4.0), 0, 1) * long_cleft * (np.abs(grid.x) > 1.6)
        plane += (inside * ribbon * (depth > 6) * 0.8 * (sequence.grey - plane)).astype(np.float32)
        for solid in self._inner(sequence):
            solid.paint(plane, grid, z, inside)

    def _inner(self, sequence: Sequence) -> tuple[Ellipsoid, ...]:
        solids: list[Ellipsoid] = []
        for side in (-1, 1):
            solids += (
                Ellipsoid((side * 27.0, -12, 48), (7, 18, 16), sequence.nuclei),  # putamen
                Ellipsoid((side * 11.0, 12, 50), (9, 14, 13), sequence.nuclei),  # thalamus
                Ellipsoid((side * 13.0, -25, 58), (6, 9, 14), sequence.nuclei),  # caudate
                Ellipsoid((side * 40.0, -8, 46), (4, 16, 12), sequence.fluid),  # the lateral furrow
                Ellipsoid((side * 9.0, -18, 66), (5.5, 20, 13), sequence.fluid),  # ventricle, front
                Ellipsoid((side * 13.0, 18, 68), (6.0, 22, 12), sequence.fluid),  # and back
                Ellipsoid((side * 21.0, 40, 58), (6.0, 14, 12), sequence.fluid),
            )
        solids.append(Ellipsoid((0, 8, 48), (2.0, 15, 13), sequence.fluid))  # third ventricle
        if self.lesion:
            solids.append(Ellipsoid((38, 14, 74), (14, 17, 15), sequence.lesion))
            solids.append(Ellipsoid((33, 30, 78), (9, 10, 11), sequence.lesion))
        return tuple(solids)

    def _hindbrain(self, plane: Plane, grid: Grid, z: float, sequence: Sequence, brain: tuple[float, float]) -> None:
        paint_ellipse(plane, grid, (0, 0), (brain[0] + 1, brain[1] + 1), sequence.bone * 1.6)
        for side in (-1, 1):
            Ellipsoid((side * 36.0, -22, 20), (24, 34, 26), sequence.grey).paint(plane, grid, z)  # temporal lobes
            Ellipsoid((side * 36.0, -22, 20), (17, 27, 22), sequence.white).paint(plane, grid, z)
        hind = (52.0, 31.0)
        radius = ellipse_radius(grid, (0, 46), hind)
        inside = coverage(radius, hind)
        plane += inside * (sequence.fluid - plane)
        leaves = 0.5 + 0.5 * np.sin((grid.y - 46) * 1.1 + 0.012 * grid.x**2 + z * 0.3)
        leafed = sequence.grey * leaves + sequence.white * (1 - leaves)
        plane += (coverage(radius * 1.07, hind) * (leafed - plane)).astype(np.float32)
        paint_ellipse(plane, grid, (0, 44), (18, 13), sequence.white)
        paint_ellipse(plane, grid, (0, 14), (24, 18), sequence.fluid)
        paint_ellipse(plane, grid, (0, 12), (17, 14), sequence.white * 0.95)  # the pons
        paint_ellipse(plane, grid, (0, 29), (7, 4.5), sequence.fluid)  # fourth ventricle


def _eyes(plane: Plane, grid: Grid, z: float, sequence: Sequence, axes: tuple[float, float]) -> None:
    front = -axes[1] + 16
    for side in (-1, 1):
        Ellipsoid((side * 32.0, front + 12, 8), (17, 26, 16), sequence.fat * 0.9).paint(plane, grid, z)
        Ellipsoid((side * 32.0, front, 8), (12.5, 12.5, 12.5), sequence.fluid).paint(plane, grid, z)
        Ellipsoid((side * 32.0, front - 8, 8), (5, 2.6, 5), sequence.grey * 0.5).paint(plane, grid, z)
        if abs(z - 8) < 4:
            paint_ellipse(plane, grid, (side * 26.0, front + 26), (2.2, 14), sequence.grey)
    paint_ellipse(plane, grid, (0, front + 8), (11, 22), sequence.grey * 0.35)
    paint_ellipse(plane, grid, (0, front + 8), (3, 20), sequence.bone)
