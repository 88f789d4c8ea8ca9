"""The dashboard as somebody at a browser finds it."""

import shutil

import numpy as np
import pytest
from viz.synthetic import Y, add_evaluation, append_rows, make_config, make_run

from rlkit.viz.report import write_report

pytestmark = pytest.mark.browser
TIMEOUT_MS = 20_000
ODD_NAME = "<img src=x onerror='window.pwned=1'> $x^2$ ü%20&?#"

LINES = """() => {
    const plot = document.querySelector('#curves .js-plotly-plot');
    if (!plot || !plot.data) return null;
    const lines = plot.data.filter(t => !/, (band|seeds)$/.test(t.name));
    return Object.fromEntries(lines.map(t => [t.name, Array.from(t.y)]));
}"""


class Page:
    """A browser page with the dashboard, and what went wrong on it."""

    def __init__(self, chromium, address, query=""):
        self.context = chromium.new_context(viewport={"width": 1500, "height": 1400})
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.requests, self.errors = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.goto(address + query)
        self.page.wait_for_selector("#curves .js-plotly-plot")

    def wait_for_lines(self, expected):
        """Until exactly these curves are drawn: by name, their y values."""
        wanted = {name: [float(y) for y in values] for name, values in expected.items()}
        check = f"""wanted => {{
            const lines = ({LINES})();
            return lines && JSON.stringify(Object.keys(lines).sort()) === JSON.stringify(Object.keys(wanted).sort())
                && Object.keys(wanted).every(n => lines[n].length === wanted[n].length
                    && lines[n].every((y, i) => Math.abs(y - wanted[n][i]) < 1e-6));
        }}"""
        try:
            self.page.wait_for_function(check, arg=wanted)
        except Exception as error:
            raise AssertionError(f"drawn: {self.page.evaluate(LINES)}, wanted: {wanted}") from error

    def choose(self, menu, option):
        """Tick or untick a menu's option as a person does."""
        self.page.click(f"#{menu}")
        self.page.locator(".dash-dropdown-content label.dash-dropdown-option").get_by_text(option, exact=True).click()
        self.page.keyboard.press("Escape")

    def tick(self, run):
        self.page.click(f"#runs .ag-row[row-id='{run}'] input[type=checkbox]")

    def wait_for_text(self, selector, text):
        self.page.wait_for_function(
            "([s, t]) => document.querySelector(s)?.innerText.includes(t)", arg=[selector, text]
        )


@pytest.fixture
def open_page(chromium):
    pages = []

    def start(address, query=""):
        pages.append(Page(chromium, address, query))
        return pages[-1]

    yield start
    for page in pages:
        page.context.close()


@pytest.fixture
def root(tmp_path):
    """kl 0.1: 0..4 plus the seed, mean 0..4 + 0.5; kl 1: the same plus 100."""
    for kl in (0.1, 1.0):
        for seed in range(2):
            returns = np.arange(5.0) + seed + 100 * (kl == 1.0)
            make_run(tmp_path / "out" / f"kl{kl}_s{seed}", returns, make_config(seed=seed, kl_lambda=kl))
    return tmp_path / "out"


LOW, HIGH = np.arange(5) + 0.5, np.arange(5) + 100.5


def test_select_change_axes_and_group(serve, open_page, root):
    page = open_page(serve(root))
    page.wait_for_lines({"kl_lambda=0.1": LOW, "kl_lambda=1": HIGH})

    page.tick("kl0.1_s0")
    page.wait_for_lines({"cheetah-vel": np.arange(5)})
    page.tick("kl1.0_s1")
    page.wait_for_lines({"kl_lambda=0.1": np.arange(5), "kl_lambda=1": np.arange(5) + 101})
    page.page.click("text='Config differences'")
    page.wait_for_text("#diff", "algo_params.kl_lambda")
    assert page.page.locator("#diff tr", has_text="kl_lambda").locator("td").all_inner_texts() == ["0.1", "1"]
    page.page.click("text='Final numbers'")
    page.wait_for_text("#final", "kl_lambda=1")
    page.page.click("text='Runs'")
    page.tick("kl0.1_s0")
    page.tick("kl1.0_s1")
    page.wait_for_lines({"kl_lambda=0.1": LOW, "kl_lambda=1": HIGH})

    page.choose("group", "seed")
    page.wait_for_lines({"seed=0": np.arange(5) + 50, "seed=1": np.arange(5) + 51})
    page.choose("filter", "algo_params.kl_lambda=0.1")
    page.wait_for_lines({"seed=0": np.arange(5), "seed=1": np.arange(5) + 1})
    page.wait_for_text("#count", "2 of 4 runs")

    page.choose("y", "Epoch")
    page.choose("y", Y)
    page.choose("x", "Number of train steps total")
    page.wait_for_lines({"seed=0": np.arange(5), "seed=1": np.arange(5)})
    page.page.wait_for_function(
        "document.querySelector('#curves .js-plotly-plot').layout.xaxis.title.text === 'Gradient steps'"
    )
    assert page.errors == []


def test_share_link_holds_the_selection(serve, open_page, root):
    address = serve(root)
    page = open_page(address)
    page.wait_for_lines({"kl_lambda=0.1": LOW, "kl_lambda=1": HIGH})
    page.tick("kl0.1_s1")
    page.choose("group", "seed")
    page.page.get_by_text("single seeds").click()
    page.wait_for_lines({"seed=1": np.arange(5) + 1})
    page.page.wait_for_function("document.querySelector('#link').href.includes('show=seeds')")
    link = page.page.get_attribute("#link", "href")
    assert page.page.url == link

    other = open_page(link)
    other.wait_for_lines({"seed=1": np.arange(5) + 1})
    assert other.page.locator("#runs .ag-row-selected").count() == 1
    assert "seed" in other.page.inner_text("#group")
    assert other.errors == []


def test_keeps_up_with_running_runs(serve, open_page, tmp_path):
    root = tmp_path / "out"
    root.mkdir()
    page = open_page(serve(root))
    page.wait_for_text("#message", "No experiments in")
    make_run(root / "a", [1.0, 2.0], state="running")
    page.wait_for_lines({"cheetah-vel": [1, 2]})
    page.wait_for_text("#runs", "running")
    assert page.page.inner_text("#message") == ""

    append_rows(root / "a", [3000], [7.0])
    page.wait_for_lines({"cheetah-vel": [1, 2, 7]})
    with (root / "a" / "progress.csv").open("a") as file:
        file.write("1,2,3")
    make_run(root / "b", [5.0, 6.0, 7.0], make_config(kl_lambda=9))
    page.wait_for_lines({"kl_lambda=0.1": [1, 2, 7], "kl_lambda=9": [5, 6, 7]})
    page.choose("filter", "status=finished")  # a choice that came with the second run
    page.wait_for_lines({"cheetah-vel": [5, 6, 7]})
    page.choose("filter", "status=finished")
    page.wait_for_lines({"kl_lambda=0.1": [1, 2, 7], "kl_lambda=9": [5, 6, 7]})
    shutil.rmtree(root / "a")
    page.wait_for_lines({"cheetah-vel": [5, 6, 7]})
    assert page.errors == []


def test_broken_and_odd_experiments_are_told_not_fatal(serve, open_page, tmp_path):
    root = tmp_path / "out"
    make_run(root / "good", [1.0, 2.0])
    make_run(root / ODD_NAME, [3.0, 4.0], make_config(note=ODD_NAME))
    make_run(root / "no_variant", [1.0])
    (root / "no_variant" / "variant.json").unlink()
    make_run(root / "garbage", [1.0])
    (root / "garbage" / "progress.csv").write_bytes(bytes(range(256)) * 20)
    (root / "empty").mkdir()
    (root / "empty" / "progress.csv").touch()
    page = open_page(serve(root), "?group=note&runs=nowhere&y=No+such+column&y=" + Y)
    page.wait_for_text("#message", "runs with trouble")
    for text in (ODD_NAME, "no variant.json", "no rows yet"):
        page.wait_for_text("#runs", text)
    page.page.click("text='Config differences'")
    page.wait_for_text("#diff", "note")
    assert page.page.evaluate("window.pwned") is None
    assert page.errors == []


def test_pictures_and_nothing_from_elsewhere(serve, open_page, root):
    folder = root / "kl0.1_s0"
    add_evaluation(folder, [{"velocity": 0.1 * i} for i in range(8)], list(range(8)))
    drawn = write_report(folder)
    address = serve(root)
    page = open_page(address)
    page.page.click("text='Pictures and videos'")
    page.page.wait_for_selector("#media img")
    loaded = (
        "() => [...document.querySelectorAll('#media img')].filter(i => i.complete && i.naturalWidth > 100).length"
    )
    page.page.wait_for_function(f"({loaded})() === {len(drawn)}")
    assert [url for url in page.requests if not url.startswith(address)] == []
    assert page.errors == []
