"""What a page shows, as a value, and as the query of its link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from urllib.parse import parse_qs, urlencode

from rlkit.viz.grouping import show_value
from rlkit.viz.labels import X_DEFAULT, Y_DEFAULT
from rlkit.viz.run_reader import RunReader
from rlkit.viz.stats import STATISTICS

SHOWABLE = ("band", "seeds", "reference")
MAX_SMOOTH = 101
STATUS_KEY = "status"  # beside the config keys, what runs can be filtered by


@dataclass(frozen=True)
class Selection:
    """Everything that the controls say.

    Attributes:
        x: column of the x axis.
        y: columns, a row of panels each.
        group: config keys; none: what differs.
        split: config keys with panels of their own.
        filter: "key=value" texts; values of one key are alternatives.
        search: text that names must contain.
        runs: ticked runs; none: all that pass the filter.
        statistic: "mean" or "iqm".
        smooth: points of the moving average.
        show: some of SHOWABLE.
    """

    x: str = X_DEFAULT
    y: tuple[str, ...] = (Y_DEFAULT,)
    group: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    filter: tuple[str, ...] = ()
    search: str = ""
    runs: tuple[str, ...] = ()
    statistic: str = "mean"
    smooth: int = 1
    show: tuple[str, ...] = ("band",)

    def to_query(self) -> str:
        """The query of the link, "" for the default selection."""
        default = Selection()
        pairs: list[tuple[str, object]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(default, field.name):
                values = value if isinstance(value, tuple) else (value,)
                pairs += [(field.name, item) for item in values or ("",)]
        return f"?{urlencode(pairs)}" if pairs else ""

    @staticmethod
    def from_query(query: str) -> Selection:
        """The selection of a link; what makes no sense in it is ignored."""
        given = parse_qs(query.removeprefix("?"), keep_blank_values=True, max_num_fields=5000)
        default = Selection()

        def many(name: str) -> tuple[str, ...]:
            values: tuple[str, ...] = getattr(default, name)
            return tuple(value for value in given[name] if value) if name in given else values

        statistic = given.get("statistic", [""])[-1]
        smooth = given.get("smooth", [""])[-1]
        return Selection(
            x=given.get("x", [default.x])[-1] or default.x,
            y=many("y") or default.y,
            group=many("group"),
            split=many("split"),
            filter=many("filter"),
            search=given.get("search", [""])[-1],
            runs=many("runs"),
            statistic=statistic if statistic in STATISTICS else default.statistic,
            smooth=min(max(int(smooth), 1), MAX_SMOOTH) if smooth.isdecimal() else default.smooth,
            show=tuple(value for value in many("show") if value in SHOWABLE),
        )


def matching(runs: Iterable[RunReader], filters: Sequence[str], search: str) -> list[RunReader]:
    """The runs whose name contains `search` and whose config has, for each key, one of the values filtered by."""
    wanted: dict[str, set[str]] = {}
    for text in filters:
        key, _, value = text.partition("=")
        wanted.setdefault(key, set()).add(value)
    needle = search.lower()
    return [
        run
        for run in runs
        if needle in run.name.lower() and all(_value(run, key) in values for key, values in wanted.items())
    ]


def filter_choices(runs: Sequence[RunReader], max_values: int = 50) -> list[str]:
    """Every "key=value" that some runs have and others have not; keys with very many values are left out."""
    seen: dict[str, set[str]] = {STATUS_KEY: {run.status.state for run in runs}}
    for run in runs:
        for key, value in run.config.items():
            seen.setdefault(key, set()).add(show_value(value))
    varied = {key: values for key, values in seen.items() if 1 < len(values) <= max_values}
    return [f"{key}={value}" for key, values in varied.items() for value in sorted(values, key=_natural)]


def _natural(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)


def _value(run: RunReader, key: str) -> str:
    return run.status.state if key == STATUS_KEY else show_value(run.config.get(key))
