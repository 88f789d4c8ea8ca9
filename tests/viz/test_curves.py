"""The learning-curve figure and its csv show the numbers of the runs."""

import csv

import numpy as np
import pytest
from viz.synthetic import X, Y, make_config, make_run

from rlkit.viz import style
from rlkit.viz.curves import CurveOptions, build_panels, draw_curves, write_csv
from rlkit.viz.labels import X_TRAJECTORY
from rlkit.viz.run_reader import find_runs


def load(*paths):
    runs = find_runs(paths)
    for run in runs:
        run.refresh()
    return runs


@pytest.fixture
def two_groups(tmp_path):
    """kl 0.1: returns i and i + 2 (mean i + 1); kl 1: the constant 5 three times."""
    rows = np.arange(10.0)
    for seed in range(2):
        make_run(tmp_path / f"low{seed}", rows + 2 * seed, make_config(seed=seed, kl_lambda=0.1))
    for seed in range(3):
        make_run(tmp_path / f"high{seed}", np.full(10, 5.0), make_config(seed=seed, kl_lambda=1.0))
    return tmp_path


def test_lines_are_the_groups_means(two_groups):
    options = CurveOptions()
    (panel,) = build_panels(load(two_groups), options)
    low, high = panel.lines
    assert (low.label, high.label) == ("kl_lambda=0.1", "kl_lambda=1")
    assert (len(low.runs), len(high.runs)) == (2, 3)
    np.testing.assert_allclose(low.pooled.x, 1000 * np.arange(1, 11))
    np.testing.assert_allclose(low.pooled.center, np.arange(10) + 1)
    np.testing.assert_allclose(low.pooled.low, np.arange(10))
    np.testing.assert_allclose(low.pooled.high, np.arange(10) + 2)
    np.testing.assert_allclose(high.pooled.center, 5)


def test_drawn_lines_hold_the_pooled_numbers(two_groups):
    options = CurveOptions(seeds=True)
    panels = build_panels(load(two_groups), options)
    figure = draw_curves(panels, options)
    drawn = [line.get_ydata() for line in figure.axes[0].get_lines()]
    assert any(np.allclose(y, np.arange(10) + 1) for y in drawn)
    assert len(drawn) == 2 + 3 + 2 * 2  # each run, and each group thin and full
    labels = {text.get_text() for text in figure.axes[0].texts}
    assert {"kl_lambda=0.1", "kl_lambda=1"} <= labels
    assert figure.axes[0].get_xlabel() == "Environment steps"


def test_smoothing_happens_before_pooling(tmp_path):
    make_run(tmp_path / "a", [0, 3, 0, 3, 0, 3])
    (panel,) = build_panels(load(tmp_path), CurveOptions(smooth=3))
    np.testing.assert_allclose(panel.lines[0].pooled.center, [0, 1, 2, 1, 2, 3])


def test_families_get_their_own_panels(tmp_path):
    make_run(tmp_path / "a", [1], make_config("cheetah-vel"))
    make_run(tmp_path / "b", [1000], make_config("cheetah-dir"))
    options = CurveOptions(ys=(Y, "QF Loss"))
    panels = build_panels(load(tmp_path), options)
    assert [(p.env_name, p.y) for p in panels] == [
        ("cheetah-dir", Y), ("cheetah-vel", Y), ("cheetah-dir", "QF Loss"), ("cheetah-vel", "QF Loss")
    ]  # fmt: skip
    assert len(draw_curves(panels, options).axes) == 4


def test_explicit_group(two_groups):
    (panel,) = build_panels(load(two_groups), CurveOptions(group=("seed",)))
    assert [line.label for line in panel.lines] == ["seed=0", "seed=1", "seed=2"]


def test_reference_levels_and_reachable_waypoints(tmp_path):
    make_run(tmp_path / "a", np.linspace(-280, -50, 30), steps=np.linspace(1e4, 4.5e5, 30))
    options = CurveOptions(reference=True)
    figure = draw_curves(build_panels(load(tmp_path), options), options)
    axes = figure.axes[0]
    assert any(np.allclose(line.get_ydata(), -283.5) for line in axes.get_lines())
    waypoints = axes.collections[-1].get_offsets()
    np.testing.assert_allclose(waypoints, [(0.25e6, -115), (0.5e6, -40)])


def test_levels_of_ones_own_are_drawn_beside_those_known(tmp_path):
    make_run(tmp_path / "a", [-280, -50])
    for known, expected in ((True, {"standing still", "mine", "cheetah-vel"}), (False, {"mine", "cheetah-vel"})):
        options = CurveOptions(reference=known, levels={"mine": -7.0})
        axes = draw_curves(build_panels(load(tmp_path), options), options).axes[0]
        assert any(np.allclose(line.get_ydata(), -7.0) for line in axes.get_lines())
        assert {text.get_text() for text in axes.texts} == expected
    options = CurveOptions(ys=("QF Loss",), levels={"mine": -7.0})
    axes = draw_curves(build_panels(load(tmp_path), options), options).axes[0]
    assert len(axes.get_lines()) == 2  # pooled, thin and thick


def test_returns_by_trajectory_are_those_of_the_last_rows(tmp_path):
    """The column of trajectory n counts the rows, of which the last five are left, and of these the middle three."""
    for seed, rows in ((0, 10), (1, 20)):
        make_run(tmp_path / f"s{seed}", np.zeros(rows), make_config(seed=seed))
    options = CurveOptions(x=X_TRAJECTORY)
    (panel,) = build_panels(load(tmp_path), options)
    (line,) = panel.lines
    np.testing.assert_array_equal(line.pooled.x, [1, 2, 3])
    np.testing.assert_array_equal(line.pooled.center, [(7 + 17) / 2] * 3)
    assert draw_curves([panel], options).axes[0].get_xlabel() == "Trajectory"


def test_runs_without_returns_by_trajectory_draw_nothing(tmp_path):
    make_run(tmp_path / "a", [1, 2], columns=[X, Y])
    (panel,) = build_panels(load(tmp_path), CurveOptions(x=X_TRAJECTORY))
    assert panel.lines == []


def test_csv_holds_the_plotted_numbers(two_groups, tmp_path):
    path = tmp_path / "new" / "numbers.csv"
    panels = build_panels(load(two_groups), CurveOptions())
    write_csv(panels, path)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    assert rows[3] == {
        "panel": "cheetah-vel", "y": Y, "group": "kl_lambda=0.1", "num_seeds": "2",
        "x": "4000.0", "center": "4.0", "low": "3.0", "high": "5.0", "seeds_here": "2",
    }  # fmt: skip


def test_column_that_a_run_lacks_draws_nothing(tmp_path):
    make_run(tmp_path / "a", [1, 2], columns=[X, Y])
    options = CurveOptions(ys=("KL Loss",))
    panels = build_panels(load(tmp_path), options)
    assert panels[0].lines == []
    draw_curves(panels, options)


def test_many_lines_and_odd_names_fit(tmp_path):
    for index in range(30):
        make_run(tmp_path / f"r{index}", [index, 1], make_config(note=f"$x_{index}^ü <b>{{"))
    options = CurveOptions()
    figure = draw_curves(build_panels(load(tmp_path), options), options)
    style.save(figure, tmp_path / "many.pdf")
    heights = [text.xyann[1] for text in figure.axes[0].texts]
    assert len(set(heights)) == 30
    assert min(heights) >= 0
    assert max(heights) <= 1


def test_spread_moves_labels_apart_as_little_as_needed():
    assert style.spread([0.1, 0.5, 0.9], 0.1, 0, 1) == pytest.approx([0.1, 0.5, 0.9])
    assert style.spread([0.5, 0.5], 0.1, 0, 1) == pytest.approx([0.45, 0.55])
    assert style.spread([1.0, 1.0, 0.0], 0.1, 0, 1) == pytest.approx([0.9, 1.0, 0.0])
    placed = style.spread([0.5] * 50, 0.1, 0, 1)
    assert min(np.diff(placed)) > 0
    assert (placed[0], placed[-1]) == pytest.approx((0, 1))


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (-250, "-250"), (9000, "9000"), (25e4, "250k"), (1.5e6, "1.5M")]
)
def test_short_numbers(value, text):
    assert style.short_number(value) == text


def test_split_makes_panels_by_config_value(two_groups):
    panels = build_panels(load(two_groups), CurveOptions(split=("algo_params.kl_lambda",)))
    assert [panel.title for panel in panels] == ["cheetah-vel, kl_lambda=0.1", "cheetah-vel, kl_lambda=1"]
    assert [line.label for panel in panels for line in panel.lines] == ["cheetah-vel", "cheetah-vel"]
