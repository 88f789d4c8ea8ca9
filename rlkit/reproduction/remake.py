"""results/, the figures and docs/results.md, made anew from what runs there are."""

from __future__ import annotations

from collections.abc import Sequence

import click

from rlkit.reproduction.collect import collect
from rlkit.reproduction.experiments import Experiment
from rlkit.reproduction.figures import draw_figures
from rlkit.reproduction.page import render
from rlkit.reproduction.plan import Folders, plan_run, seeds_beside
from rlkit.reproduction.results import read_all
from rlkit.util.files import replacing


def remake(experiments: Sequence[Experiment], folders: Folders) -> None:
    """Keep the results of finished runs, then write figures and page.

    Raises:
        UserError: a file of a run, of results/ or the notes is damaged.
    """
    for experiment in experiments:
        for arm in experiment.arms:
            for seed in seeds_beside(plan_run(experiment, arm, 0, folders).run.folder):
                plan = plan_run(experiment, arm, seed, folders)
                if collect(plan, folders):
                    click.echo(f"{plan.run.name}: kept in {plan.results}")
    results = read_all(experiments, folders)
    draw_figures(results, folders)
    with replacing(folders.page) as file:
        file.write(render(results, folders).encode())
    click.echo(folders.page)
