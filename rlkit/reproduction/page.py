"""docs/results.md: tables, figures and notes, made from results/ alone by the template beside this file."""

from __future__ import annotations

import csv
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import jinja2

from rlkit.reproduction import results as formats
from rlkit.reproduction.figures import FOLDER, LEADING, figure_names, leading_arms
from rlkit.reproduction.plan import Folders
from rlkit.reproduction.results import ArmResults, Result, Results, pooled
from rlkit.util.errors import UserError
from rlkit.viz.labels import TRAJECTORY_PREFIX, Y_DEFAULT, axis_name
from rlkit.viz.references import REFERENCES
from rlkit.viz.stats import final_value

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


def render(results: Results, folders: Folders) -> str:
    """The page.

    Raises:
        UserError: the notes or the table of configs tried cannot be read, or the notes name what is not there.
    """
    notes = read_notes(folders.results / NOTES_FILE, results)
    begun = [arms for arms in results.values() if any(arm.runs for arm in arms)]
    missing = [arms[0].experiment.name for arms in results.values() if arms not in begun]
    domains = leading_arms(results)
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(Path(__file__).with_name("page.md.j2").read_text(encoding="utf-8")).render(
        command=COMMAND,
        link=os.path.relpath(folders.results, folders.page.parent),
        folder=FOLDER,
        notes=notes,
        domains=_domains(domains) if domains else "",
        leading=f"{FOLDER}/{LEADING}.png" if any(arm.runs for arm in domains) else "",
        overview=_overview(results),
        sections=[_section(arms, notes, folders) for arms in begun],
        free_headings=FREE_HEADINGS,
        missing=_wrapped(", ".join(missing)),
        tried=_tried(folders.results / TRIED_FILE),
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
    """A row per domain: what came out, how soon, and what the reference takes."""
    head = ("domain", "target", "return", "each seed", "time", "CPU time", "env steps", "return earlier")
    rows: list[tuple[str, ...]] = []
    for arm in domains:
        others = (arm.experiment.anchor, _others(arm.plan.config.env_name)[1])
        name = f"{arm.plan.config.env_name} (`{arm.plan.arm.config}`)"
        if not arm.runs:
            rows.append((name, _verdict(arm), NO_RUN, "", "", "", "", "", *others))
            continue
        _, env_steps, _, returns, seeds, *_, wall_clock, _ = _cells(arm)
        minutes = [run.cpu_minutes for run in arm.runs if run.cpu_minutes is not None]
        cpu = formats.durations([60 * value for value in minutes]) if minutes else "not noted"
        rows.append((name, _verdict(arm), returns, seeds, wall_clock, cpu, env_steps, _earlier(arm), *others))
    begun = {arm.plan.config.env_name for arm in domains}
    for env_name in (name for name in PAPER_DOMAINS if name not in begun):
        rows.append((env_name, "", "no finished run of a small config yet", *[""] * 5, *_others(env_name)))
    return _table((*head, "others reach", "the reference takes"), rows)


def _others(env_name: str) -> tuple[str, str]:
    """What others reach on a domain, and how long the reference takes."""
    known = REFERENCES.get(env_name)
    return (known.reached, known.wall_clock or "not known") if known else ("not known", "not known")


def _earlier(arm: ArmResults) -> str:
    """The return after as many steps as others' figures are of, of the seeds that went so far."""
    count = arm.experiment.compared_at
    reached = [run.return_at(count) for run in arm.runs if count is not None and run.env_steps >= count]
    return f"{formats.with_band(pooled(reached))} after {formats.steps(count)}" if count and reached else ""


def _overview(results: Results) -> str:
    """A row for the first arm of each experiment, or for all that have a target; comparisons with runs of another
    experiment aside.
    """
    head = ("domain", "env steps", "seeds", "test return", "others reach", "target", "wall-clock", "on")
    rows = []
    for arms in results.values():
        if arms[0].arm.runs_of:
            continue
        experiment = arms[0].experiment
        for arm in arms if experiment.target is not None and not experiment.order else arms[:1]:
            label = f", {arm.arm.label}" if arm.arm.label else ""
            name = f"{arm.plan.config.env_name} (`{arm.experiment.name}`{label})"
            _, env_steps, seeds, returns, *_, wall_clock, machine = _cells(arm)
            rows.append((name, env_steps, seeds, returns, arm.experiment.anchor, _verdict(arm), wall_clock, machine))
    return _table(head, rows)


def _section(arms: Sequence[ArmResults], notes: Mapping[str, str], folders: Folders) -> dict[str, object]:
    """What ran, and for how long; the figures with what is said of them; the tables."""
    experiment = arms[0].experiment
    links = (f"[`{arm.plan.arm.config}.json`](../configs/{arm.plan.arm.config}.json)" for arm in arms)
    return {
        "title": experiment.title,
        "configs": _wrapped(f"{', '.join(links)}: {arms[0].plan.run.num_iterations} iterations."),
        "film": _film(arms[0], folders),
        "figures": [(name, notes.get(name, "")) for name in figure_names(experiment)],
        "tables": "\n".join(_tables(arms)),
    }


def _film(arm: ArmResults, folders: Folders) -> dict[str, object] | None:
    """Where the film of an adaptation is, and how to make it again."""
    name, task = arm.experiment.name, arm.experiment.filmed_task
    if task is None or not (folders.results / FOLDER / f"{name}.gif").exists():
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
        yield _table(
            ("return of trajectory", *(column.split()[-1] for column in numbers)),
            ((arm.arm.label, *(formats.number(arm.estimate(column).center) for column in numbers)) for arm in begun),
        )


def _cells(arm: ArmResults) -> tuple[str, ...]:
    """Label, steps, number of seeds, return, that of each seed, further columns, wall-clock, machine."""
    columns, label = arm.experiment.columns, arm.arm.label or arm.experiment.name
    if not arm.runs:
        return (label, formats.steps(arm.plan.env_steps), "0", NO_RUN, *("" for _ in range(len(columns) + 3)))
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
    return _table(head, rows)


def _wrapped(text: str) -> str:
    """A paragraph in lines; code, tables and lists stay as they are."""
    if text.startswith(("    ", "|", "- ", "```")):
        return text
    return textwrap.fill(" ".join(text.split()), LINE_WIDTH, break_on_hyphens=False, break_long_words=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
