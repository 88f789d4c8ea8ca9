"""results/, the figures and docs/results.md, made anew from what runs there are."""

from __future__ import annotations

import click

from rlkit.reproduction.collect import collect
from rlkit.reproduction.figures import draw_figures
from rlkit.reproduction.page import render
from rlkit.reproduction.plan import Reproduction, seeds_beside
from rlkit.reproduction.results import read_all
from rlkit.util.files import replacing


def remake(reproduction: Reproduction) -> None:
    """Keep the results of finished runs, then write figures and page.

    Raises:
        UserError: a file of a run, of results/ or the notes is damaged.
    """
    for experiment in reproduction.experiments:
        for arm in experiment.arms:
            for seed in seeds_beside(reproduction.plan(experiment, arm, 0).run.folder):
                plan = reproduction.plan(experiment, arm, seed)
                if collect(plan, reproduction.results):
                    click.echo(f"{plan.run.name}: kept in {plan.results}")
    results = read_all(reproduction)
    draw_figures(results, reproduction.results)
    with replacing(reproduction.page) as file:
        file.write(render(results, reproduction).encode())
    click.echo(reproduction.page)
