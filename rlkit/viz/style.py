"""How every figure looks: colour-blind safe colours, quiet axes, labels beside the lines instead of a legend."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlkit.util.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette without its yellow, which is too light for a line on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
GREY = "#6b6b6b"
LABEL_SIZE = 8.5  # points
LABEL_GAP = 1.25  # from one line of labels to the next, of their size
LEADER = {"arrowstyle": "-", "linewidth": 0.6, "alpha": 0.7, "shrinkA": 1, "shrinkB": 1, "relpos": (0, 0.5)}
SEQUENTIAL = "viridis"

SETTINGS: Any = {
    "font.size": 9,
    "font.family": ["DejaVu Sans"],
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": "#222222",
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.formatter.useoffset": False,
    "text.parse_math": False,  # names may hold dollar signs
    "lines.linewidth": 1.8,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # text stays text, as journals ask
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, outside pyplot's global state; call within `styled()`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def styled() -> Any:
    """Context in which figures are built and saved."""
    import matplotlib

    return matplotlib.rc_context(SETTINGS)


def save(figure: Figure, path: Path, dpi: float | None = None) -> Path:
    """Write a figure; a reader never sees half of it. `dpi`, pixels per inch, is by default that of SETTINGS.

    Raises:
        OSError: the folder cannot be written.
        ValueError: matplotlib does not know the format of the suffix.
    """
    picture = BytesIO()
    with styled():
        figure.savefig(picture, format=path.suffix.removeprefix("."), dpi=dpi)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(picture.getvalue())
    return path


def to_rgb(figure: Figure) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The figure's pixels, (height, width, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    with styled():
        canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of the index-th line; lines differ in dashes once the colours repeat."""
    return {"color": COLORS[index % len(COLORS)], "linestyle": DASHES[index // len(COLORS) % len(DASHES)]}


def short_numbers(axes: Axes) -> None:
    """Write 250k and 1.5M on the x axis."""
    from matplotlib.ticker import FuncFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


def short_number(value: float) -> str:
    """A number as 250k or 1.5M; below 10,000 as it is."""
    for least, unit, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart, as little as needed, so that neighbours keep `gap` and all stay within low..high.

    Positions keep their order; where there is no room the gap shrinks to what fits.
    """
    count = len(wanted)
    gap = min(gap, (high - low) / max(count - 1, 1))
    order = np.argsort(wanted, kind="stable")
    # Blocks of labels that touch share one shift: pool neighbours until no two blocks overlap.
    blocks: list[list[float]] = []  # [sum of wanted starts, number of labels]
    for rank, index in enumerate(order):
        blocks.append([min(max(wanted[index], low), high) - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, size = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += size
    starts = [total / size for total, size in blocks for _ in range(int(size))]
    placed = [0.0] * count
    for rank, index in enumerate(order):
        start = min(max(starts[rank], low), high - (count - 1) * gap)
        placed[index] = start + rank * gap
    return placed


def label_lines(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each line's label right of the axes at the height of its end, moved apart where they would overlap.

    Args:
        axes: limits must be final.
        ends: x and y of the line's last point, label, colour.
    """
    x_low, x_high = axes.get_xlim()
    y_low, y_high = axes.get_ylim()
    points = [((x - x_low) / (x_high - x_low), (y - y_low) / (y_high - y_low)) for x, y, _, _ in ends]
    figure = axes.figure
    height_points = axes.get_position().height * figure.get_size_inches()[1] * 72  # type: ignore[union-attr]
    gap = LABEL_GAP * LABEL_SIZE / max(height_points, 1.0)
    places = spread([height for _, height in points], gap, 0.0, 1.0)
    for (_, _, text, color), point, place in zip(ends, points, places, strict=True):
        axes.annotate(
            text,
            xy=point,
            xycoords="axes fraction",
            xytext=(1.03, place),
            textcoords="axes fraction",
            va="center",
            ha="left",
            color=darker(color),
            fontsize=LABEL_SIZE,
            annotation_clip=False,
            arrowprops=LEADER | {"color": color},
        )


def label_width(texts: Sequence[str]) -> float:
    """Inches that labels beside the axes need, near enough."""
    return 0.2 + max(map(len, texts), default=0) * LABEL_SIZE * 0.6 / 72


def labels_height(count: int) -> float:
    """Inches that a panel needs so that so many labels beside it do not overlap: axes, title and x axis."""
    return 1.0 + count * LABEL_GAP * LABEL_SIZE / 72


def darker(color: str, amount: float = 0.8) -> str:
    """A shade with more contrast, for text in a line's colour."""
    red, green, blue = (int(int(color[i : i + 2], 16) * amount) for i in (1, 3, 5))
    return f"#{red:02x}{green:02x}{blue:02x}"
