"""Which runs belong together: groups by config values, and what to call them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rlkit.util.errors import UserError
from rlkit.util.text import nearest
from rlkit.viz.run_reader import RunReader

NOT_A_DIFFERENCE = ("seed", "study", "exp_name", "util_params.", "algo_params.num_iterations")
"""Keys, or beginnings of keys, that say where, how long and as which repetition a run ran, not what it is."""
STILL_A_DIFFERENCE = "util_params.precision"  # the one machine setting that makes other numbers
NO_CONFIG = "no variant.json"
MAX_LABEL = 40  # characters
SEED_SUFFIX = r"(^|[-_./ ])(s|seed)?[-_]?\d+$"  # of a run's name


@dataclass(frozen=True)
class Group:
    """Runs that are pooled, usually those that differ by their seed alone."""

    label: str  # at most MAX_LABEL characters that no other group beside it has
    detail: str  # every setting by which it differs
    members: list[RunReader]


def values_by_key(runs: Iterable[RunReader]) -> dict[str, set[str]]:
    """Every config key and its values as texts, among the runs that have it."""
    values: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for key, value in run.config.items():
            values[key].add(show_value(value))
    return values


def differing_keys(runs: Iterable[RunReader]) -> list[str]:
    """Config keys with more than one value among the runs that have them; seeds and machine settings aside."""
    return [
        key
        for key, values in values_by_key(runs).items()
        if len(values) > 1 and (key == STILL_A_DIFFERENCE or not key.startswith(NOT_A_DIFFERENCE))
    ]


def resolve_key(name: str, runs: Sequence[RunReader]) -> str:
    """The full config key that `name` stands for; its last part is enough where that is unambiguous.

    Raises:
        UserError: no run has such a key, or several keys end in it.
    """
    keys = sorted({key for run in runs for key in run.config})
    if name in keys:
        return name
    ending = [key for key in keys if key.endswith(f".{name}")]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise UserError(f"config key '{name}' is ambiguous: " + ", ".join(f"'{key}'" for key in ending))
    raise UserError(f"no run has the config key '{name}'; {nearest(name, keys)}")


def group_runs(runs: Iterable[RunReader], keys: Sequence[str]) -> list[Group]:
    """Put runs together that agree in all `keys`, sorted by those values, numbers as numbers.

    With no keys all runs make one group. Runs without a config stand alone, under their folder's name, where there
    are keys to tell them apart.
    """
    names = [short(key, keys) for key in keys]
    members: dict[tuple[str, ...], list[RunReader]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: _rank(run, keys)):
        members[_identity(run, keys, names)].append(run)
    groups = list(members.values())
    if keys:
        details = [", ".join(identity) for identity in members]
    else:
        details = [" / ".join(sorted({run.env_name for run in group})) for group in groups]
    labels = short_labels(details, groups, keys)
    return [Group(label, detail, group) for label, detail, group in zip(labels, details, groups, strict=True)]


def _identity(run: RunReader, keys: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """What the runs of a group have in common, as texts."""
    if keys and not run.config:
        return (f"{run.name} ({NO_CONFIG})",)
    values = [show_value(run.config.get(key)) for key in keys]
    if list(keys) == ["env_name"]:
        return tuple(values)
    return tuple(f"{name}={value}" for name, value in zip(names, values, strict=True))


def _rank(run: RunReader, keys: Sequence[str]) -> tuple[Any, ...]:
    """Where a run's group comes: numbers in their order, then texts; those without a config last."""
    if keys and not run.config:
        return (True, run.name)
    values = (run.config.get(key) for key in keys)
    return (False, *((0, value) if isinstance(value, int | float) else (1, show_value(value)) for value in values))


def short_labels(details: Sequence[str], groups: Sequence[Sequence[RunReader]], keys: Sequence[str]) -> list[str]:
    """What to call groups beside one another, in MAX_LABEL characters each.

    The whole difference where that is short; or else a single setting that tells all of them apart, words before
    numbers; or else the name that a group's runs have in common.
    """
    if all(len(detail) <= MAX_LABEL for detail in details):
        return list(details)
    for key in sorted(keys, key=lambda key: isinstance(groups[0][0].config.get(key), int | float)):
        values = [show_value(group[0].config.get(key)) for group in groups]
        texts = [f"{short(key, keys)}={value}" for value in values]
        if len(set(values)) == len(groups) and all(len(text) <= MAX_LABEL for text in texts):
            return texts
    return _distinct([_common_name(group) for group in groups])


def _common_name(members: Sequence[RunReader]) -> str:
    """What most of a group's runs are called, without what tells seeds apart."""
    names = [re.sub(SEED_SUFFIX, "", member.name) or member.name for member in members]
    return _fitting(Counter(names).most_common(1)[0][0], MAX_LABEL)


def _distinct(names: Sequence[str]) -> list[str]:
    """The same names, those that repeat with a number."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        number = f" #{seen[name]}" if seen[name] > 1 else ""
        found.append(_fitting(name, MAX_LABEL - len(number)) + number)
    return found


def _fitting(text: str, size: int) -> str:
    """The end of a text, which tells names of one folder apart, where all of it is too long."""
    return text if len(text) <= size else f"…{text[1 - size :]}"


def short(key: str, among: Sequence[str]) -> str:
    """The last part of a dotted key, or all of it where another key ends alike."""
    last = key.rsplit(".", 1)[-1]
    return key if sum(other.rsplit(".", 1)[-1] == last for other in among) > 1 else last


def show_value(value: Any) -> str:
    """A config value as a short text; equal numbers give equal texts."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)
