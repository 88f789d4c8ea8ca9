"""Panels, legends and labels have room and do not lie over one another, whatever mixture of experiments is drawn."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from viz.synthetic import make_config, make_run

from rlkit.viz.curves import CurveOptions, build_panels, draw_curves
from rlkit.viz.grouping import MAX_LABEL
from rlkit.viz.run_reader import find_runs
from rlkit.viz.style import styled

RESULTS = Path(__file__).parents[2] / "results"
MIN_PANEL = 400  # pixels


@pytest.fixture
def many(tmp_path):
    """Twelve experiments of two seeds that differ in twenty keys."""
    rng = np.random.default_rng(0)
    for number in range(12):
        values = {f"a_setting_of_some_length_{key}": int(rng.integers(1000)) for key in range(20)}
        values["a_setting_of_some_length_0"] = number % 6
        for seed in range(2):
            config = make_config(seed=seed)
            config["algo_params"] |= values
            make_run(tmp_path / f"experiment_{number:02}/s{seed}", rng.normal(size=20).cumsum(), config)
    return tmp_path


@pytest.fixture(params=["results", "many"])
def root(request):
    return RESULTS if request.param == "results" else request.getfixturevalue("many")


def drawn(root):
    runs = find_runs([root])
    for run in runs:
        run.refresh()
    return [run for run in runs if run.progress.num_rows]


def overlap(one, other):
    """Whether two boxes (left, top, right, bottom) share more than a pixel in both directions."""
    return min(one[2], other[2]) - max(one[0], other[0]) > 1 and min(one[3], other[3]) - max(one[1], other[1]) > 1


def test_labels_are_short_and_tell_lines_apart(root):
    for panel in build_panels(drawn(root), CurveOptions()):
        labels = [line.label for line in panel.lines]
        assert len(set(labels)) == len(labels), labels
        assert max(map(len, labels)) <= MAX_LABEL
        assert len({line.detail for line in panel.lines}) == len(labels)


def test_a_setting_that_tells_lines_apart_is_their_label():
    def labels(root):
        panels = build_panels(drawn(root), CurveOptions())
        return {panel.title: sorted(line.label for line in panel.lines) for panel in panels}

    one_key = labels(RESULTS / "cheetah-dir")["cheetah-dir"]
    assert one_key == ["context_sampling=trajectories", "context_sampling=transitions"]
    by_name = labels(RESULTS)
    assert {"quickstart", "context/off-policy"} <= set(by_name["point-robot"])
    assert by_name["cheetah-dir"] == ["cheetah-dir", "cheetah-dir-small", "cheetah-dir/trajectories"]


def test_kept_agents_and_results_are_no_broken_experiments():
    for run in find_runs([RESULTS]):
        run.refresh()
        assert run.problems == []
        assert run.status.state == "kept"


def test_panels_and_labels_of_a_figure_keep_apart(root):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Annotation, Text

    options = CurveOptions(ys=("AverageReturn_all_test_tasks", "QF Loss"))
    panels = build_panels(drawn(root), options)
    with styled():
        figure = draw_curves(panels, options)
        FigureCanvasAgg(figure).draw()
    width = figure.get_size_inches()[0] * figure.dpi
    axes_boxes, label_boxes = [], []
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert min(box.width, 2 * box.height) >= MIN_PANEL / 2  # at 100 dpi: files have 200
        axes_boxes.append(box.extents)
        texts = [text for text in axes.texts if isinstance(text, Annotation) and text.get_text()]
        label_boxes += [Text.get_window_extent(text).extents for text in texts]  # without the lines that lead there
    assert len(axes_boxes) == len(panels)
    for one, other in itertools.combinations(axes_boxes + label_boxes, 2):
        assert not overlap(one, other)
    assert all(right <= width + 1 for _, _, right, _ in label_boxes)
    assert width <= 2300


GEOMETRY = """() => {
    const plot = document.querySelector('#curves .js-plotly-plot');
    const boxes = s => [...plot.querySelectorAll(s)].map(e => e.getBoundingClientRect())
        .filter(r => r.width > 0).map(r => [r.left, r.top, r.right, r.bottom]);
    return {panels: boxes('.draglayer .nsewdrag'), legends: boxes('g[class^="legend"] > rect.bg'),
            entries: boxes('[class^="legend"][class$="text"]'),
            titles: boxes('.annotation-text-g'), axes: boxes('.xtitle, .ytitle'),
            right: plot.getBoundingClientRect().right};
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [1500, 900])
def test_the_page_keeps_panels_legends_and_titles_apart(serve, chromium, root, width):
    context = chromium.new_context(viewport={"width": width, "height": 1200})
    page = context.new_page()
    page.goto(serve(root))
    panels = build_panels(drawn(root), CurveOptions())
    wanted, num_lines = len(panels), sum(len(panel.lines) for panel in panels)
    page.wait_for_function(
        f"document.querySelectorAll('#curves [class^=legend][class$=text]').length === {num_lines}", timeout=20_000
    )
    page.wait_for_timeout(2000)  # the width was measured, and drawn for
    found = page.evaluate(GEOMETRY)
    context.close()
    assert len(found["panels"]) == wanted
    for left, top, right, bottom in found["panels"]:
        assert right - left >= MIN_PANEL, found["panels"]
        assert bottom - top >= 250
        assert right <= found["right"] + 1
    assert len(found["entries"]) == num_lines
    things = found["panels"] + found["legends"] + found["titles"] + found["axes"]
    for one, other in itertools.combinations(things, 2):
        assert not overlap(one, other), (one, other)
    for one, other in itertools.combinations(found["entries"], 2):
        assert not overlap(one, other)
