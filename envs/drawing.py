"""Flat pictures: the plane of the point robots, and the line of text under every frame."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.types import FloatArray, Frame

SIZE = 360  # pixels, of the square plane
HALF_WIDTH = 1.5  # the plane shows -1.5 to 1.5 along each axis
GOAL_MARK_RADIUS = 0.06
ROBOT_RADIUS = 0.04
FONT_SIZE = 16  # pixels
CAPTION_COLOUR = "white"
BAR_COLOUR = (40, 40, 40)


def with_caption(frame: Frame, text: str) -> Frame:
    """`frame` with its lowest rows covered by a bar that says `text`."""
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    top = image.height - FONT_SIZE - 10
    draw.rectangle([0, top, image.width, image.height], fill=BAR_COLOUR)
    draw.text((8, top + 4), text, fill=CAPTION_COLOUR, font=ImageFont.load_default(FONT_SIZE))
    return np.asarray(image).copy()


def plane(position: FloatArray, goal: FloatArray, rewarded_radius: float | None) -> Frame:
    """The plane with the robot at `position` (2,) and the goal's mark, with its rewarded disc if there is one."""
    image = Image.new("RGB", (SIZE, SIZE), "white")
    draw = ImageDraw.Draw(image)
    for line in np.arange(-1.0, 1.01, 0.5):
        draw.line([*_pixel(line, -HALF_WIDTH), *_pixel(line, HALF_WIDTH)], fill=(225, 225, 225))
        draw.line([*_pixel(-HALF_WIDTH, line), *_pixel(HALF_WIDTH, line)], fill=(225, 225, 225))
    if rewarded_radius is not None:
        _disc(draw, goal, rewarded_radius, (190, 230, 195))
    _disc(draw, goal, GOAL_MARK_RADIUS, (25, 150, 60))
    _disc(draw, position, ROBOT_RADIUS, (30, 80, 200))
    return np.asarray(image).copy()


def _pixel(x: float, y: float) -> tuple[float, float]:
    scale = SIZE / (2 * HALF_WIDTH)
    return (x + HALF_WIDTH) * scale, (HALF_WIDTH - y) * scale


def _disc(draw: ImageDraw.ImageDraw, centre: FloatArray, radius: float, colour: tuple[int, int, int]) -> None:
    x, y = centre
    draw.ellipse([*_pixel(x - radius, y + radius), *_pixel(x + radius, y - radius)], fill=colour)
