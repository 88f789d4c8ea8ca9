"""docs/results.md: tables, figures and notes, made from results/ alone by the template beside this file."""

from __future__ import annotations

import csv
import math
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import jinja2

from rlkit.reproduction import results as formats
from rlkit.reproduction.experiments import Experiment
from rlkit.reproduction.figures import FOLDER, LEADING, figure_names, leading_arms
from rlkit.reproduction.plan import Reproduction
from rlkit.reproduction.results import LONG_RUN, SECONDS, ArmResults, Result, Results
from rlkit.util.errors import UserError
from rlkit.viz.labels import TRAJECTORY_PREFIX, X_DEFAULT, Y_DEFAULT, axis_name
from rlkit.viz.references import NO_REFERENCE, REFERENCES
from rlkit.viz.stats import final_value, over_seeds

COMMAND = "scripts/reproduce.py --budget-minutes 0"
NOTES_FILE, TRIED_FILE = "notes.md", "tried.csv"
DIFFERENCES = "Where we differ, and why"
FREE_HEADINGS = ("What another run of the reference gave", DIFFERENCES)
LINE_WIDTH = 118
PAPER_DOMAINS = (
    *("cheetah-vel", "cheetah-dir", "ant-dir", "ant-goal", "humanoid-dir"),
    *("walker-rand-params", "hopper-rand-params", "sparse-point-robot"),
)
NO_RUN = "no finished run yet"


def render(results: Results, reproduction: Reproduction) -> str:
    """The page.

    Raises:
        UserError: the notes or the table of configs tried cannot be read, or the notes name what is not there.
    """
    kept = reproduction.results
    notes = read_notes(kept / NOTES_FILE, results)
    begun = [arms for arms in results.values() if any(arm.runs for arm in arms)]
    missing = [arms[0].experiment.name for arms in results.values() if arms not in begun]
    domains = leading_arms(results)
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(Path(__file__).with_name("page.md.j2").read_text(encoding="utf-8")).render(
        command=COMMAND,
        link=os.path.relpath(kept, reproduction.page.parent),
        folder=FOLDER,
        notes=notes,
        domains=_domains(domains) if domains else "",
        leading=f"{FOLDER}/{LEADING}.png" if any(arm.runs for arm in domains) else "",
        overview=_overview(results),
        sections=[_section(arms, notes, kept) for arms in begun],
        free_headings=FREE_HEADINGS,
        missing=_wrapped(", ".join(missing)),
        tried=_tried(kept / TRIED_FILE),
    )
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"


def read_notes(path: Path, results: Results) -> dict[str, str]:
    """The text below each heading, a template of jinja2 whose numbers are filled in; what is above the first heading
    is for those who write.

    Raises:
        UserError: it cannot be read, or a heading or an expression means nothing.
    """
    try:
        _, *sections = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    figures = (name for arms in results.values() for name in figure_names(arms[0].experiment))
    headings = [LEADING, *figures, *FREE_HEADINGS]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.globals["r"] = lambda arm, quantity="return": _value(results, arm, quantity)
    notes = {}
    for section in sections:
        heading, _, text = (part.strip() for part in section.partition("\n"))
        if heading not in headings:
            raise UserError(f"{path}: unknown heading '{heading}'; choose one of {', '.join(headings)}")
        try:
            filled = environment.from_string(text).render()
        except (jinja2.TemplateError, TypeError, UserError) as error:
            raise UserError(f"{path}: {heading}: {error}") from None
        notes[heading] = "\n\n".join(map(_wrapped, filled.strip().split("\n\n")))
    return notes


def _value(results: Results, name: str, quantity: str) -> str:
    """What a note says of an experiment, or of EXPERIMENT/ARM: its return, band, env steps, wall-clock, ..."""
    experiment, _, label = name.partition("/")
    arms = {arm.arm.label: arm for arm in results.get(experiment, ())}
    if label not in arms:
        raise UserError(f"no such experiment or arm: {name}; arms of {experiment}: {', '.join(arms) or 'none'}")
    arm = arms[label]
    if not arm.runs:
        return f"({NO_RUN})"
    if quantity == "band":
        return " to ".join(map(formats.number, arm.test_return[1:]))
    if quantity == "wall-clock":
        return formats.durations([median(run.seconds for run in arm.runs)])
    if quantity == "env steps":
        return formats.steps(median(run.env_steps for run in arm.runs))
    column = Y_DEFAULT if quantity == "return" else re.sub(r"^trajectory (?=\d)", TRAJECTORY_PREFIX, quantity)
    if any(column not in run.columns for run in arm.runs):
        raise UserError(f"no such quantity or column: {quantity}")
    return formats.number(arm.estimate(column).center)


def _domains(domains: Sequence[ArmResults]) -> str:
    """A row per domain of the paper: what came out, how soon, and what the reference takes."""
    rows = [_cells(arm) for arm in domains]
    begun = {arm.plan.config.env_name for arm in domains}
    for env_name in (name for name in PAPER_DOMAINS if name not in begun):
        rows.append({"domain": env_name, "test return": "no finished run of a small config yet", **_others(env_name)})
    head = ("domain", "target", "test return", "each seed", "wall-clock", "CPU time", "env steps", "return earlier")
    return _table((*head, "others reach", "the reference takes"), rows)


def _overview(results: Results) -> str:
    """A row for the first arm of each experiment that has none above, or for all that have a target; comparisons with
    runs of another experiment aside.
    """
    rows = []
    for first, *others in results.values():
        experiment = first.experiment
        if not experiment.leads and not first.arm.runs_of:
            shows_all = experiment.target is not None and not experiment.order
            rows += [_cells(arm) for arm in (first, *others * shows_all)]
    return _table(("domain", "env steps", "seeds", "test return", "others reach", "target", "wall-clock", "on"), rows)


def _section(arms: Sequence[ArmResults], notes: Mapping[str, str], kept: Path) -> dict[str, object]:
    """What ran, and for how long; the figures with what is said of them; the tables."""
    experiment = arms[0].experiment
    links = (f"[`{arm.plan.arm.config}.json`](../configs/{arm.plan.arm.config}.json)" for arm in arms)
    return {
        "title": experiment.title,
        "configs": _wrapped(f"{', '.join(links)}: {arms[0].plan.run.num_iterations} iterations."),
        "film": _film(experiment, kept),
        "figures": [(name, notes.get(name, "")) for name in figure_names(experiment)],
        "tables": "\n".join(_tables(arms)),
    }


def _film(experiment: Experiment, kept: Path) -> dict[str, object] | None:
    """Where the film of an adaptation is, and how to make it again."""
    name, task = experiment.name, experiment.filmed_task
    if task is None or not (kept / FOLDER / f"{name}.gif").exists():
        return None
    files = f"results/weights/{name} --task {task} --gif results/{FOLDER}/{name}.gif"
    return {"name": name, "task": task, "command": f"scripts/sim_policy.py {files}"}


def _tables(arms: Sequence[ArmResults]) -> Iterator[str]:
    """Every arm, then the order that they come in, then their returns by trajectory."""
    experiment, begun = arms[0].experiment, [arm for arm in arms if arm.runs]
    columns = map(axis_name, experiment.columns)
    head = ("arm", "env steps", "seeds", "test return", "each seed", *columns, "wall-clock", "on")
    yield _table(head, map(_cells, arms))
    if experiment.order:
        found = sorted(begun, key=lambda arm: -arm.test_return.center)
        expected = " > ".join(experiment.order)
        yield f"Order in the paper: {expected}. Here: {' > '.join(arm.arm.label for arm in found)}.\n"
    if experiment.by_trajectory:
        numbers = max((run.trajectory_columns for arm in begun for run in arm.runs), key=len)
        by_number = {column.split()[-1]: column for column in numbers}
        rows = [
            {number: formats.number(arm.estimate(column).center) for number, column in by_number.items()}
            | {"return of trajectory": arm.arm.label}
            for arm in begun
        ]
        yield _table(("return of trajectory", *by_number), rows)


def _cells(arm: ArmResults) -> dict[str, str]:
    """All that the tables say of an arm, by heading."""
    experiment, runs, label = arm.experiment, arm.runs, arm.arm.label
    cells = {
        "domain": f"{arm.plan.config.env_name} (`{experiment.name}`{f', {label}' if label else ''})",
        "arm": label or experiment.name,
        "env steps": formats.steps(arm.plan.env_steps),
        "seeds": str(len(runs)),
        "test return": NO_RUN,
        "target": "" if experiment.target is None else f"{experiment.target:g} or better",
        **_others(arm.plan.config.env_name),
        "others reach": experiment.anchor,
    }
    if not runs:
        return cells
    if experiment.target is not None:
        cells["target"] += ": met" if arm.test_return.center >= experiment.target else ": **missed**"
    minutes = [run.cpu_minutes for run in runs if run.cpu_minutes is not None]
    machines = dict.fromkeys(machine for run in runs for machine in _machines(run))
    return cells | {
        "env steps": formats.steps(median(run.env_steps for run in runs)),
        "test return": formats.with_band(arm.test_return),
        "return earlier": _earlier(arm),
        "each seed": ", ".join(
            formats.number(final_value(run.columns[Y_DEFAULT]), arm.test_return.center) for run in runs
        ),
        **{axis_name(column): formats.with_band(arm.estimate(column)) for column in experiment.columns},
        "wall-clock": formats.durations([run.seconds for run in runs]),
        "CPU time": formats.durations([60 * value for value in minutes]) if minutes else "not noted",
        "on": "; ".join(machines),
    }


def _others(env_name: str) -> dict[str, str]:
    """What others reach on a domain, and how long the reference takes."""
    known = REFERENCES.get(env_name, NO_REFERENCE)
    return {"others reach": known.reached or "not known", "the reference takes": known.wall_clock or "not known"}


def _earlier(arm: ArmResults) -> str:
    """The return after as many steps as others' figures are of; of long runs, after an hour and a half too."""
    cells = []
    if (count := arm.experiment.compared_at) is not None:
        cells.append(_at(arm, count, X_DEFAULT, formats.steps(count)))
    if any(run.seconds > LONG_RUN for run in arm.runs):
        cells.append(_at(arm, LONG_RUN, SECONDS, formats.durations([LONG_RUN])))
    return ", ".join(filter(None, cells))


def _at(arm: ArmResults, value: float, column: str, written: str) -> str:
    """The return where a column has a value, of the seeds that went so far."""
    returns = (run.return_at(value, column) for run in arm.runs)
    reached = [each for each in returns if not math.isnan(each)]
    return f"{formats.with_band(over_seeds(reached))} after {written}" if reached else ""


def _machines(run: Result) -> Iterator[str]:
    """What each session of a run ran on."""
    util = run.config.util_params
    for session in run.sessions:
        if session["device"] != "cpu":
            yield f"{session.get('gpu') or session['device']}, {util.precision}"
            continue
        threads = util.num_threads or session["cores"] or "all"
        yield f"{session['cpu'] or 'CPU'}, {threads} thread{'s' * (threads != 1)}, {util.precision}"


def _tried(path: Path) -> str:
    """results/tried.csv as it is; nothing where there is none.

    Raises:
        UserError: it cannot be read, or its lines are of unequal length.
    """
    if not path.exists():
        return ""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    for line, row in enumerate(rows, start=2):
        if len(row) != len(head):
            raise UserError(f"{path}, line {line}: {len(row)} cells, should be {len(head)}: {', '.join(head)}")
    return _table(head, (dict(zip(head, row, strict=True)) for row in rows))


def _wrapped(text: str) -> str:
    """A paragraph in lines; code, tables and lists stay as they are."""
    if text.startswith(("    ", "|", "- ", "```")):
        return text
    return textwrap.fill(" ".join(text.split()), LINE_WIDTH, break_on_hyphens=False, break_long_words=False)


def _table(head: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """A table of Markdown whose rows may say more than it has columns, or less."""
    lines = [head, ["---"] * len(head), *([row.get(heading, "") for heading in head] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
