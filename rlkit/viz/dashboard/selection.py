"""What a page shows, as a value, and as the query of its link."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from rlkit.viz.grouping import show_value, values_by_key
from rlkit.viz.labels import X_DEFAULT, Y_DEFAULT
from rlkit.viz.run_reader import RunReader
from rlkit.viz.stats import STATISTICS

SHOWABLE = {"band": "95 % band", "seeds": "single seeds", "reference": "reference levels"}
MAX_SMOOTH = 101
MAX_CHOICES = 50  # of one key
STATUS_KEY = "status"  # beside the config keys, what runs can be filtered by


@dataclass(frozen=True)
class Selection:
    """Everything that the controls say."""

    x: str = X_DEFAULT  # column of the x axis
    y: tuple[str, ...] = (Y_DEFAULT,)  # columns, a row of panels each
    group: tuple[str, ...] = ()  # config keys; none: what differs
    split: tuple[str, ...] = ()  # config keys with panels of their own
    filter: tuple[str, ...] = ()  # "key=value" texts; values of one key are alternatives
    search: str = ""  # text that names must contain
    runs: tuple[str, ...] = ()  # ticked runs; none: all that pass the filter
    statistic: str = "mean"  # one of STATISTICS
    smooth: int = 1  # points of the moving average
    show: tuple[str, ...] = ("band",)  # some of SHOWABLE

    @staticmethod
    def of(given: Mapping[str, Any]) -> Selection:
        """What a link or the controls say, by name; what is missing or makes no sense is as by default."""
        default = Selection()

        def many(name: str) -> tuple[str, ...]:
            return tuple(value for value in given.get(name, getattr(default, name)) or () if value)

        statistic, smooth = given.get("statistic"), str(given.get("smooth"))
        return Selection(
            x=given.get("x") or default.x,
            y=many("y") or default.y,
            group=many("group"),
            split=many("split"),
            filter=many("filter"),
            search=given.get("search") or "",
            runs=many("runs"),
            statistic=statistic if statistic in STATISTICS else default.statistic,
            smooth=min(max(int(smooth), 1), MAX_SMOOTH) if smooth.isdecimal() else default.smooth,
            show=tuple(value for value in many("show") if value in SHOWABLE),
        )

    def to_query(self) -> str:
        """The query of the link, "" for the default selection."""
        default = asdict(Selection())
        changed = {name: value for name, value in asdict(self).items() if value != default[name]}
        return f"?{urlencode({name: value or '' for name, value in changed.items()}, doseq=True)}" if changed else ""

    @staticmethod
    def from_query(query: str) -> Selection:
        given = parse_qs(query.removeprefix("?"), keep_blank_values=True, max_num_fields=5000)
        single = ("x", "search", "statistic", "smooth")
        return Selection.of({name: values[-1] if name in single else values for name, values in given.items()})


def matching(runs: Iterable[RunReader], filters: Iterable[str], search: str) -> list[RunReader]:
    """The runs whose name contains `search` and whose config has, for each key, one of the values filtered by."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for text in filters:
        key, _, value = text.partition("=")
        wanted[key].add(value)
    needle = search.lower()
    return [
        run
        for run in runs
        if needle in run.name.lower() and all(_value(run, key) in values for key, values in wanted.items())
    ]


def filter_choices(runs: Sequence[RunReader]) -> list[str]:
    """Every "key=value" that some runs have and others have not; keys with very many values are left out."""
    seen = {STATUS_KEY: {run.status.state for run in runs}}
    seen |= {key: values for key, values in values_by_key(runs).items() if key != STATUS_KEY}
    varied = {key: values for key, values in seen.items() if 1 < len(values) <= MAX_CHOICES}
    return [f"{key}={value}" for key, values in varied.items() for value in sorted(values, key=_natural)]


def _natural(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)


def _value(run: RunReader, key: str) -> str:
    return run.status.state if key == STATUS_KEY else show_value(run.config.get(key))
