"""Levels that others reach, to draw behind a learning curve of the return on unseen tasks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """What a task family's learning curve stands beside.

    Attributes:
        levels: returns of trivial or ideal policies and final results, by name.
        waypoints: (environment steps, return) of other implementations' runs.
    """

    levels: dict[str, float]
    waypoints: tuple[tuple[float, float], ...] = ()


WAYPOINT_LABEL = "other implementations"

REFERENCES = {
    "cheetah-vel": Reference({"standing still": -283.5}, ((0.25e6, -115), (0.5e6, -40), (0.75e6, -41))),
    "cheetah-dir": Reference({"standing still": 0}, ((0.5e6, 1000), (1.0e6, 1250), (2.5e6, 1550))),
    "ant-dir": Reference({"standing still": 200}, ((0.5e6, 670), (1.0e6, 900), (2.0e6, 1075))),
    "ant-goal": Reference({"standing still": -508.9, "paper, 10M steps": -200, "reference code": -440}),
    "humanoid-dir": Reference({"standing for 200 steps": 1000}, ((1.3e6, 990), (2.0e6, 1000))),
    "walker-rand-params": Reference({"standing still": 200, "paper": 800}, ((0.5e6, 460), (1.1e6, 720))),
    "point-robot": Reference({"straight to the goal": -5.2, "to the centre": -15.9, "staying": -20.9}),
    "sparse-point-robot": Reference({"straight to the goal": 13.4}, ((1.5e6, 12),)),
}
"""By `env_name`. Trivial policies are derived from the reward on the default tasks; waypoints and final results are
read from other implementations' progress files and, where marked "paper", off its figures."""
