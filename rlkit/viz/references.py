"""Levels that others reach, to draw behind a learning curve of the return on unseen tasks."""

from __future__ import annotations

from dataclasses import dataclass

from rlkit.viz.labels import X_DEFAULT

Waypoints = tuple[tuple[float, float], ...]  # (environment steps, return)


@dataclass(frozen=True)
class Reference:
    """What a task family's learning curve stands beside."""

    levels: dict[str, float]  # returns of trivial or ideal policies and final results, by name
    waypoints: Waypoints = ()  # of other implementations' runs
    reached: str = ""  # what others reach, for readers
    wall_clock: str = ""  # how long the reference takes for a whole run, and on what

    def waypoints_until(self, limit: float, x: str) -> Waypoints:
        """Those up to `limit`; none where the x axis, the column `x`, is another."""
        return tuple(point for point in self.waypoints if x == X_DEFAULT and point[0] <= limit)


NO_REFERENCE = Reference({})
WAYPOINT_LABEL = "other implementations"

REFERENCES = {
    "cheetah-vel": Reference(
        {"standing still": -283.5},
        ((0.25e6, -115), (0.5e6, -40), (0.75e6, -41)),
        "-37 to -45 after 0.5M to 0.75M, another code",
        "33.6 h on a GPU (2.7M steps); another code 10.5 h (0.78M)",
    ),
    "cheetah-dir": Reference(
        {"standing still": 0},
        ((0.5e6, 1000), (1.0e6, 1250), (2.5e6, 1550)),
        "762, 937, 953 after 0.5M, reference code; 1000 after 0.5M, 1100 to 1400 after 1.0M, others",
        "47.9 h on a CPU (500 iterations)",
    ),
    "ant-dir": Reference(
        {"standing still": 200},
        ((0.5e6, 670), (1.0e6, 900), (2.0e6, 1075)),
        "650 to 690 after 0.5M, 1050 to 1100 after 2M, other codes",
        "31.3 h on a GPU (500 iterations)",
    ),
    "ant-goal": Reference(
        {"standing still": -508.9, "paper, 10M steps": -200, "reference code": -440},
        reached="-440, reference code; paper about -200 after 10M",
    ),
    "humanoid-dir": Reference(
        {"standing for 200 steps": 1000},
        ((1.3e6, 990), (2.0e6, 1000)),
        "985 to 1000 after 1.3M to 2M, other codes; standing pays 1000",
    ),
    "walker-rand-params": Reference(
        {"standing still": 200, "paper": 800},
        ((0.5e6, 460), (1.1e6, 720)),
        "460 after 0.5M, 720 after 1.1M, another code; paper about 800 in the end",
    ),
    "hopper-rand-params": Reference({"standing still": 200}, reached="no other code's figure is known"),
    "point-robot": Reference(
        {"straight to the goal": -5.2, "to the centre": -15.9, "staying": -20.9},
        reached="-10 to -12, reduced protocols",
    ),
    "sparse-point-robot": Reference(
        {"straight to the goal": 13.4},
        ((1.5e6, 12),),
        "12 with context from the replay buffer, reference code",
    ),
}
"""By `env_name`. Trivial policies are derived from the reward on the default tasks; waypoints and final results are
read from other implementations' progress files and, where marked "paper", off its figures."""
