"""docs/results.md: tables and figures, made from results/ alone."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from reproduction import formats
from reproduction.experiments import Experiment
from reproduction.figures import FOLDER, figure_names
from reproduction.length import env_steps_after
from reproduction.notes import DIFFERENCES, NOTES_FILE, read_notes
from reproduction.plan import Places
from reproduction.results import ArmResults, Result, Results
from rlkit.viz.labels import Y_DEFAULT, axis_name
from rlkit.viz.stats import final_value

COMMAND = "scripts/reproduce.py --budget-minutes 0"
LINE_WIDTH = 110
NO_RUN = "no finished run yet"
HEAD = f"""# Results

<!-- Made by {COMMAND} from the files in results/; edit results/notes.md instead. -->

    .venv/bin/python {COMMAND}    # tables, figures and this page again, from results/
    .venv/bin/python scripts/reproduce.py --list                 # the experiments, and how far they are
    .venv/bin/python scripts/reproduce.py --only quickstart      # run what is missing of one, or go on with it

Returns are those on unseen tasks after adaptation, `AverageReturn_all_test_tasks`. A run counts with the
interquartile mean of its last 10 % of evaluations, at least five; a figure in bold is the interquartile mean of the
seeds (of fewer than four their mean), with the 95 % bootstrap interval over seeds in brackets: of two seeds that is
no more than their range. What others reach is read from their progress files, or off the paper's figures. Wall-clock
is the median of the runs, and their range.
[`results/`]({{results}}) holds each run's rows, config, machine and commit, and [trained agents]({{results}}/weights)
for `scripts/sim_policy.py`.
"""


def render(results: Results, places: Places) -> str:
    """The page.

    Raises:
        UserError: the notes cannot be read, or name what is not there.
    """
    notes = read_notes(places.results / NOTES_FILE, results)
    link = os.path.relpath(places.results, places.page.parent)
    begun = [arms for arms in results.values() if any(arm.runs for arm in arms)]
    missing = [arms[0].experiment.name for arms in results.values() if arms not in begun]
    parts = [HEAD.format(results=link), _overview(results)]
    parts += [_section(arms, notes, link) for arms in begun]
    if DIFFERENCES in notes:
        parts.append(f"## {DIFFERENCES}\n\n{notes[DIFFERENCES]}\n")
    if missing:
        parts.append(f"## Not run yet\n\n{_wrapped(', '.join(missing))}.\n")
    return "\n".join(parts)


def _overview(results: Results) -> str:
    """A row for the first arm of each experiment, or for all where there is a target; comparisons with another
    experiment's runs aside.
    """
    head = ("domain", "env steps", "seeds", "test return", "others reach", "target", "wall-clock", "on")
    rows = []
    for arms in results.values():
        if arms[0].arm.runs_of:
            continue
        for arm in arms if arms[0].experiment.target is not None else arms[:1]:
            label = f", {arm.arm.label}" if arm.arm.label else ""
            name = f"{arm.plan.config.env_name} (`{arm.experiment.name}`{label})"
            _, env_steps, seeds, returns, *_, wall_clock, machine = _cells(arm)
            rows.append((name, env_steps, seeds, returns, arm.experiment.anchor, _verdict(arm), wall_clock, machine))
    return _table(head, rows)


def _section(arms: Sequence[ArmResults], notes: Mapping[str, str], link: str) -> str:
    experiment = arms[0].experiment
    return "\n".join(
        [
            f"## {experiment.title}\n",
            f"{_configs(arms)}\n",
            *_figures(experiment, notes, link),
            *_tables(arms),
        ]
    )


def _configs(arms: Sequence[ArmResults]) -> str:
    """What ran, and for how long."""
    files = (f"{arm.plan.arm.config}.json" for arm in arms)
    links = ", ".join(f"[`{file}`](../configs/{file})" for file in files)
    return _wrapped(f"{links}: {arms[0].plan.run.num_iterations} iterations.")


def _figures(experiment: Experiment, notes: Mapping[str, str], link: str) -> Iterator[str]:
    for name in figure_names(experiment):
        yield f"![{experiment.title}]({link}/{FOLDER}/{name}.png)\n"
        if notes.get(name):
            yield f"{notes[name]}\n"


def _tables(arms: Sequence[ArmResults]) -> Iterator[str]:
    """Every arm, then the order that they come in, then their returns by trajectory."""
    experiment, begun = arms[0].experiment, [arm for arm in arms if arm.runs]
    columns = experiment.columns
    head = ("arm", "env steps", "seeds", "test return", "each seed", *map(axis_name, columns), "wall-clock", "on")
    yield _table(head, map(_cells, arms))
    if experiment.order:
        found = sorted(begun, key=lambda arm: -arm.test_return.center)
        expected = " > ".join(experiment.order)
        yield f"Order in the paper: {expected}. Here: {' > '.join(arm.arm.label for arm in found)}.\n"
    if experiment.by_trajectory:
        numbers = max((run.trajectory_columns for arm in begun for run in arm.runs), key=len)
        yield _table(
            ("return of trajectory", *(column.split()[-1] for column in numbers)),
            ((arm.arm.label, *(formats.number(arm.estimate(column).center) for column in numbers)) for arm in begun),
        )


def _cells(arm: ArmResults) -> tuple[str, ...]:
    """Label, steps, number of seeds, return, that of each seed, further columns, wall-clock, machine."""
    columns, plan, label = arm.experiment.columns, arm.plan, arm.arm.label or arm.experiment.name
    if not arm.runs:
        planned = formats.steps(env_steps_after(plan.config, plan.run.num_iterations))
        return (label, planned, "0", NO_RUN, *("" for _ in range(len(columns) + 3)))
    return (
        label,
        formats.steps(median(run.env_steps for run in arm.runs)),
        str(len(arm.runs)),
        formats.with_band(arm.test_return),
        ", ".join(formats.number(final_value(run.columns[Y_DEFAULT]), arm.test_return.center) for run in arm.runs),
        *(formats.with_band(arm.estimate(column)) for column in columns),
        formats.durations([run.seconds for run in arm.runs]),
        "; ".join(dict.fromkeys(machine for run in arm.runs for machine in _machines(run))),
    )


def _verdict(arm: ArmResults) -> str:
    """The target, and whether it is met."""
    target = arm.experiment.target
    if target is None:
        return ""
    met = "" if not arm.runs else ": met" if arm.test_return.center >= target else ": **missed**"
    return f"{target:g} or better{met}"


def _machines(run: Result) -> Iterator[str]:
    """What each session of a run ran on."""
    util = run.config.util_params
    for session in run.sessions:
        if session["device"] != "cpu":
            yield f"{session.get('gpu') or session['device']}, {util.precision}"
            continue
        threads = util.num_threads or session["cores"] or "all"
        yield f"{session['cpu'] or 'CPU'}, {threads} thread{'s' * (threads != 1)}, {util.precision}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, LINE_WIDTH, break_on_hyphens=False, break_long_words=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
