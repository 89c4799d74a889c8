"""A chest and upper belly in Hounsfield units, venous phase, cut at any height.

Heights are millimetres above the lowest slice; a full examination covers 0 to HEIGHT. All organs are invented
shapes of about the right place and size: a picture to recognise, nothing to diagnose from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from leadglass.app.samples.identifiers import random_for
from leadglass.app.samples.solids import Ellipsoid, Grid, Plane, coverage, ellipse_radius, paint_ellipse, smooth

HEIGHT = 360.0
FIELD = 400.0  # field of view
AIR, LUNG, FAT, MUSCLE, BLOOD, LIVER, BONE = -1000.0, -860.0, -105.0, 58.0, 165.0, 108.0, 320.0
RIB_SPACING = 25.0
CHEST_FLOOR = 85.0  # ribs end here

_BELLY = (
    Ellipsoid((88, 30, 132), (32, 44, 48), 122),  # spleen
    Ellipsoid((-62, -2, 122), (82, 78, 66), LIVER),
    Ellipsoid((12, -48, 132), (62, 34, 34), LIVER),  # left lobe
    Ellipsoid((-48, -52, 82), (15, 17, 26), 8),  # gall bladder
    Ellipsoid((-96, 14, 128), (13, 13, 13), 4),  # a cyst
    Ellipsoid((62, -26, 128), (38, 42, 40), 28),  # stomach
    Ellipsoid((60, -52, 134), (26, 13, 26), -930),  # its air
    Ellipsoid((14, 4, 78), (52, 11, 13), 95),  # pancreas
)
_KIDNEYS = tuple(
    solid
    for side, low in ((-1, 38.0), (1, 48.0))
    for solid in (
        Ellipsoid((side * 66, 50, low), (29, 27, 54), 192),
        Ellipsoid((side * 64, 48, low), (19, 17, 42), 128),
        Ellipsoid((side * 56, 44, low), (15, 9, 26), -60),
    )
)
_CHEST = (
    Ellipsoid((0, 0, 262), (30, 58, 120), -20),  # mediastinum
    Ellipsoid((26, -28, 192), (62, 50, 56), 62),  # heart
    Ellipsoid((42, -22, 186), (36, 30, 38), BLOOD),
    Ellipsoid((2, -36, 192), (32, 26, 36), BLOOD),
    Ellipsoid((10, 0, 214), (34, 20, 22), BLOOD),  # left atrium
    Ellipsoid((0, -22, 240), (38, 11, 10), BLOOD),  # pulmonary artery
)


@dataclass(frozen=True, slots=True)
class Ball:
    """A piece of a vessel."""

    x: float
    y: float
    z: float
    radius: float


@dataclass(frozen=True)
class Body:
    """One person. `key` decides vessels, bowel and noise; `size` scales the outline (0.9 slim, 1.1 large)."""

    key: str
    size: float = 1.0
    nodule: bool = False
    vessels: tuple[Ball, ...] = field(init=False)
    bowel: tuple[Ellipsoid, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vessels", tuple(_vessels(self.key)))
        object.__setattr__(self, "bowel", tuple(_bowel(self.key)))

    def slice_at(self, z: float, grid: Grid, noise: float = 14.0, *, table: bool = True) -> Plane:
        """The cut at height `z` in Hounsfield units, shape (rows, columns); `noise` is its standard deviation."""
        plane = np.full(grid.shape, AIR, np.float32)
        axes = self._outline(z)
        if table:
            _table(plane, grid)
        _wall(plane, grid, axes)
        cavity = (axes[0] - 30, axes[1] - 24)
        inside = coverage(ellipse_radius(grid, (0, -4), cavity), cavity)
        plane += inside * (FAT - plane)
        self._lungs(plane, grid, z, inside)
        self._organs(plane, grid, z, inside)
        _spine(plane, grid, z)
        if z > CHEST_FLOOR:
            _ribs(plane, grid, z, cavity)
        if noise:
            grain = random_for(self.key, "noise", round(z * 10)).standard_normal(grid.shape, np.float32)
            plane += smooth(grain) * (2.4 * noise) + grain * (0.4 * noise)
        return plane

    def _outline(self, z: float) -> tuple[float, float]:
        shoulder = max(0.0, (z - 285) / 75)
        waist = 1 - 0.06 * math.exp(-(((z - 110) / 50) ** 2))
        return (168 * waist + 14 * shoulder**2) * self.size, (119 - 4 * shoulder) * self.size

    def _lungs(self, plane: Plane, grid: Grid, z: float, inside: Plane) -> None:
        for side in (-1, 1):
            Ellipsoid((side * 74.0, 2, 222), (61, 88, 128), LUNG).paint(plane, grid, z, inside)
        # The domes of the diaphragm, higher on the right; a viewer shows the patient's right on the left.
        for side, top, filling in ((-1, 178.0, LIVER), (1, 168.0, FAT)):
            if z > 105:
                Ellipsoid((side * 74.0, 0, 90), (78, 96, top - 90), MUSCLE).paint(plane, grid, z, inside)
                Ellipsoid((side * 74.0, 0, 90), (76, 94, top - 92), filling).paint(plane, grid, z, inside)
        for ball in self.vessels:
            if abs(z - ball.z) < ball.radius:
                radius = math.sqrt(ball.radius**2 - (z - ball.z) ** 2)
                paint_ellipse(plane, grid, (ball.x, ball.y), (radius, radius), 45.0)
        if self.nodule:
            Ellipsoid((-92, 18, 268), (9, 8, 9), 35).paint(plane, grid, z)

    def _organs(self, plane: Plane, grid: Grid, z: float, inside: Plane) -> None:
        if z < 105:
            for side in (-1, 1):  # the muscles beside the spine
                paint_ellipse(plane, grid, (side * 36, 62), (17, 16), MUSCLE, inside=inside)
        for solid in (*self.bowel, *_BELLY, *_KIDNEYS, *_CHEST):
            solid.paint(plane, grid, z, inside)
        _great_vessels(plane, grid, z)
        _airway(plane, grid, z)


def _table(plane: Plane, grid: Grid) -> None:
    bend = grid.y - 128 + (grid.x / 210) ** 2 * 26
    shell = (np.abs(bend) < 1.6) | (np.abs(bend - 22) < 1.6)
    plane[shell & (np.abs(grid.x) < 185)] = -180
    plane[(bend > 1.6) & (bend < 20.4) & (np.abs(grid.x) < 185)] = -930


def _wall(plane: Plane, grid: Grid, axes: tuple[float, float]) -> None:
    for shrink, value in ((0.0, 30.0), (2.0, FAT), (15.0, MUSCLE)):
        paint_ellipse(plane, grid, (0, 0), (axes[0] - shrink, axes[1] - shrink), value)
    for side in (-1, 1):  # fat between the muscles of the back
        paint_ellipse(plane, grid, (side * 70, axes[1] - 17), (40, 3), FAT)


def _spine(plane: Plane, grid: Grid, z: float) -> None:
    disc = (z % 30.0) < 6.0
    for side in (-1, 1):
        paint_ellipse(plane, grid, (side * 27, 93), (25, 15), MUSCLE)
        if not disc:
            paint_ellipse(plane, grid, (side * 22, 84), (17, 4.5), BONE)
    paint_ellipse(plane, grid, (0, 62), (21, 17), 85 if disc else 620)
    if not disc:
        paint_ellipse(plane, grid, (0, 62), (18.5, 14.5), 230)
        paint_ellipse(plane, grid, (0, 87), (14, 12), 560)
    paint_ellipse(plane, grid, (0, 86), (9.5, 8.5), 18)
    paint_ellipse(plane, grid, (0, 86), (5, 4.5), 42)
    if 8 < z % 30.0 < 24:
        paint_ellipse(plane, grid, (0, 103), (3.2, 11), 420)


def _ribs(plane: Plane, grid: Grid, z: float, cavity: tuple[float, float]) -> None:
    """Rings that hang forward: each rib is lower in front than at the spine."""
    axes = (cavity[0] + 3, cavity[1] + 3)
    radius = ellipse_radius(grid, (0, -4), axes)
    angle = np.arctan2(grid.x / axes[0], (grid.y + 4) / axes[1])  # 0 at the back, +-pi in front
    drop = 62 * (np.abs(angle) / np.pi) ** 1.3
    across = np.abs((z + drop + RIB_SPACING / 2) % RIB_SPACING - RIB_SPACING / 2) / 5.5
    through = np.abs(radius - 1) * min(axes) / 4.5
    tube = np.sqrt(across**2 + through**2)
    front = np.abs(angle) > 2.55
    cover = np.clip((1 - tube) * 5 + 0.5, 0, 1) * (np.abs(angle) < 2.88) * (np.abs(angle) > 0.22)
    marrow = np.clip((0.62 - tube) * 5 + 0.5, 0, 1)
    bone = np.where(front, 110.0, 560.0 - 330.0 * marrow)
    plane += (cover * (bone - plane)).astype(np.float32)
    if z > 150:
        paint_ellipse(plane, grid, (0, -cavity[1] - 7), (17, 6), 430)  # the breastbone
        paint_ellipse(plane, grid, (0, -cavity[1] - 7), (14, 3.6), 160)
    if z > 225:
        for side in (-1, 1):  # the shoulder blades
            _blade(plane, grid, side, cavity)


def _blade(plane: Plane, grid: Grid, side: int, cavity: tuple[float, float]) -> None:
    for step in range(40):
        along = 0.58 + 0.0145 * step
        x = side * (cavity[0] + 13) * math.sin(along)
        y = (cavity[1] + 13) * math.cos(along)
        paint_ellipse(plane, grid, (x, y), (4.0, 2.6), 480)


def _great_vessels(plane: Plane, grid: Grid, z: float) -> None:
    if z < 262:
        paint_ellipse(plane, grid, (20, 38 if z < 110 else 42), (11.5, 11.5), BLOOD + 10)  # descending aorta
    if 205 < z < 262:
        paint_ellipse(plane, grid, (-12, -18), (14, 14), BLOOD + 10)  # ascending aorta
    if 262 <= z < 280:  # the arch, from one to the other
        for step in range(9):
            paint_ellipse(plane, grid, (-12 + 4 * step, -16 + 6.6 * step), (11, 11), BLOOD + 10)
    if z >= 280:
        for x, y in ((-16.0, -14.0), (6.0, -6.0), (18.0, 8.0)):
            paint_ellipse(plane, grid, (x, y), (5.5, 5.5), BLOOD)
    if z < 178:
        paint_ellipse(plane, grid, (-18, 32), (12, 10), BLOOD - 25)  # lower caval vein
    if z > 200:
        paint_ellipse(plane, grid, (-30, -8), (8.5, 8.5), BLOOD - 10)  # upper caval vein


def _airway(plane: Plane, grid: Grid, z: float) -> None:
    if z > 248:
        paint_ellipse(plane, grid, (0, 14), (10.5, 9.5), 30)
        paint_ellipse(plane, grid, (0, 14), (8.5, 8), AIR)
        paint_ellipse(plane, grid, (3, 30), (7, 5), 38)  # gullet
    elif z > 216:
        for side in (-1, 1):
            paint_ellipse(plane, grid, (side * (6 + (248 - z) * 1.05), 14), (7.5, 6.2), AIR)


def _vessels(key: str) -> list[Ball]:
    random = random_for(key, "vessels")
    balls: list[Ball] = []
    for side in (-1, 1):
        for _ in range(64):
            point = np.array((side * 32.0, 8.0, 226.0))
            heading = np.array((side * random.uniform(0.15, 1), random.uniform(-1, 1), random.uniform(-0.9, 1)))
            radius = random.uniform(2.6, 4.6)
            while radius > 0.8:
                heading = heading / np.linalg.norm(heading) + random.normal(0, 0.12, 3)
                point = point + heading * 2.2
                radius *= 0.966
                x, y, z = map(float, point)
                if ((x - side * 74) / 59) ** 2 + ((y - 2) / 86) ** 2 + ((z - 222) / 126) ** 2 > 0.96:
                    break
                if z > 180:
                    balls.append(Ball(x, y, z, radius))
    return balls


def _bowel(key: str) -> list[Ellipsoid]:
    random = random_for(key, "bowel")
    loops: list[Ellipsoid] = []
    for _ in range(34):
        x, y, z = random.uniform(-85, 85), random.uniform(-62, 12), random.uniform(-10, 72)
        axes = (random.uniform(11, 20), random.uniform(10, 16), random.uniform(10, 18))
        loops.append(Ellipsoid((x, y, z), axes, random.uniform(35, 75)))
        loops.append(Ellipsoid((x, y, z), (axes[0] - 3, axes[1] - 3, axes[2] - 3), random.uniform(5, 35)))
        if random.random() < 0.35:
            loops.append(Ellipsoid((x, y - 4, z), (axes[0] - 5, axes[1] - 6, axes[2] - 5), -900))
    return loops
