"""What viskit expects of an experiment folder, said anew: it reads such folders by these rules."""

import json
import math
from pathlib import Path


def viskit_problems(folder):
    """Why viskit would not show a run, or not pool it with other seeds; empty if it would."""
    folder = Path(folder)
    problems = [f"no {name}" for name in ("progress.csv", "variant.json") if not (folder / name).is_file()]
    if problems:
        return problems
    variant = json.loads((folder / "variant.json").read_text())
    if "seed" not in variant:
        problems.append("seed is no top-level key of variant.json: seeds would not be averaged over")
    for key, value in _flatten(variant).items():
        if not _survives(value):
            problems.append(f"{key}: viskit cannot read {value!r}")
    columns = (folder / "progress.csv").read_text().splitlines()[0].split(",")
    if "AverageReturn" not in columns:
        problems.append("no column AverageReturn for the default plot")
    if len(set(columns)) != len(columns):
        problems.append("a column appears twice")
    return problems


def _flatten(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        flat.update(_flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return flat


def _survives(value):
    """Pairs are written as Python text and evaluated: of the infinities only a positive one that stands alone."""
    if isinstance(value, list):
        return not any(isinstance(item, float) and math.isinf(item) for item in _leaves(value))
    return value != -math.inf


def _leaves(values):
    for value in values:
        yield from _leaves(value) if isinstance(value, list) else [value]
