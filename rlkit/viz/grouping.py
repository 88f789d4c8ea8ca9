"""Which runs belong together: groups by config values, and what to call them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
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
    """Runs that are pooled, usually those that differ by their seed alone.

    Attributes:
        label: at most MAX_LABEL characters that no other group beside it has.
        detail: every setting by which it differs.
        members: the runs.
    """

    label: str
    detail: str
    members: list[RunReader]


def differing_keys(runs: Sequence[RunReader]) -> list[str]:
    """Config keys with more than one value among the runs that have them; seeds and machine settings aside."""
    values: dict[str, set[str]] = {}
    for run in runs:
        for key, value in run.config.items():
            values.setdefault(key, set()).add(show_value(value))
    return [
        key
        for key, seen in values.items()
        if len(seen) > 1 and (key == STILL_A_DIFFERENCE or not key.startswith(NOT_A_DIFFERENCE))
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


def group_runs(runs: Sequence[RunReader], keys: Sequence[str]) -> list[Group]:
    """Put runs together that agree in all `keys`, sorted by those values, numbers as numbers.

    With no keys all runs make one group. Runs without a config stand alone, under their folder's name, where there
    are keys to tell them apart.
    """
    members: dict[tuple[str, ...], list[RunReader]] = {}
    order: dict[tuple[str, ...], tuple[Any, ...]] = {}
    identity: tuple[str, ...]
    for run in runs:
        if keys and not run.config:
            identity = (f"{run.name} ({NO_CONFIG})",)
            order[identity] = (2, identity)
        else:
            identity = tuple(f"{key}={show_value(run.config.get(key))}" for key in keys)
            order[identity] = (1, tuple(_sort_rank(run.config.get(key)) for key in keys))
        members.setdefault(identity, []).append(run)
    chosen = sorted(members, key=order.__getitem__)
    details = [_detail(one, keys, members[one]) for one in chosen]
    labels = short_labels(details, [members[one] for one in chosen], keys)
    return [Group(label, detail, members[one]) for label, detail, one in zip(labels, details, chosen, strict=True)]


def _detail(identity: tuple[str, ...], keys: Sequence[str], members: Sequence[RunReader]) -> str:
    if not keys:
        return " / ".join(sorted({member.env_name for member in members}))
    if len(identity) != len(keys) or not members[0].config:
        return identity[0]
    if keys == ["env_name"]:
        return show_value(members[0].config.get("env_name"))
    return ", ".join(short(key, keys) + text[len(key) :] for key, text in zip(keys, identity, strict=True))


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
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
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


def _sort_rank(value: Any) -> tuple[int, float, str]:
    if isinstance(value, bool | int | float) and value == value:
        return (0, float(value), "")
    return (1, 0.0, show_value(value))
