"""What the pages in Markdown look like, and that what they name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path for pattern in ("*.md", "docs/*.md", "results/*.md", "tests/**/*.md") for path in ROOT.glob(pattern)
)
MAX_WIDTH = 120
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
NOT_PROSE = ("|", "    ", "![")  # tables, code, pictures: these cannot be wrapped


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_of_prose_fit_a_screen(path):
    lines = CODE.sub("", path.read_text(encoding="utf-8")).splitlines()
    long = [line for line in lines if len(line) > MAX_WIDTH and not line.startswith(NOT_PROSE)]
    assert not long


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_page_names_exist(path):
    text = path.read_text(encoding="utf-8")
    linked = [target for target in re.findall(r"\]\(([^)#{]+)[^)]*\)", text) if not target.startswith("http")]
    base = ROOT / "docs" if path.parent.name == "results" else path.parent  # notes are read on the page made of them
    missing = [target for target in linked if not (base / target).exists()]
    named = re.findall(r"`((?:rlkit|envs|scripts|configs|docs|tests)/[\w./-]+\.(?:py|md|json|sh))`", text)
    missing += [name for name in named if not (ROOT / name).exists() and "NAME" not in name]
    assert not missing


def test_the_reading_order_names_the_method():
    """Nine files in the order of the data, each linked."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## Read and change the code") : text.index("### Add an environment")]
    order = re.findall(r"\]\((rlkit/[\w/]+\.py)\)", section)
    assert [Path(name).stem for name in order] == [
        *("build", "rl_algorithm", "evaluation", "collector", "training_phase", "pearl"),
        *("agent", "policies", "encoders", "distributions"),
    ]
    assert all((ROOT / name).exists() for name in order)


def test_the_version_is_one():
    (version,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    assert "Probabilistic Context Variables" in citation
    newest = re.search(r"^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest
    assert (newest[1], f"date-released: {newest[2]}" in citation) == (version, True)


def test_what_runs_on_github_is_what_ci_runs():
    steps = re.findall(r"- run: (.+)", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert steps[-1] == ".ci/run"
