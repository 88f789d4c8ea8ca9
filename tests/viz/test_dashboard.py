"""The dashboard's parts without a browser: what is selected, drawn, listed and served."""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from viz.synthetic import X, Y, append_rows, make_config, make_run

from rlkit.viz.dashboard import store as store_module
from rlkit.viz.dashboard.access import allowed_path, is_loopback, media_below
from rlkit.viz.dashboard.app import chosen_runs, create_app, draw_panels, message
from rlkit.viz.dashboard.figures import make_figure
from rlkit.viz.dashboard.selection import Selection, filter_choices, matching
from rlkit.viz.dashboard.store import RunStore
from rlkit.viz.dashboard.tables import age, config_diff, final_rows, run_rows
from rlkit.viz.run_reader import all_columns

SCRIPT = Path(__file__).parents[2] / "scripts" / "dashboard.py"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MIN_SCAN_INTERVAL_S", 0.0)
    for kl in (0.1, 1.0):
        for seed in range(3):
            returns = np.arange(5.0) + seed + 100 * (kl == 1.0)
            make_run(tmp_path / "root" / f"kl{kl}_s{seed}", returns, make_config(seed=seed, kl_lambda=kl))
    found = RunStore(tmp_path / "root")
    found.scan()
    return found


def test_store_sees_new_rows_new_runs_and_deleted_ones(store):
    version = store.scan()
    assert store.scan() == version
    append_rows(store.root / "kl0.1_s0", [6000], [77.0])
    assert store.scan() > version
    run = next(run for run in store.runs() if run.name == "kl0.1_s0")
    assert store.last_value(run, Y) == 77.0
    make_run(store.root / "later", [1.0])
    assert store.scan() > version + 1
    assert len(store.runs()) == 7
    for file in (store.root / "later").iterdir():
        file.unlink()
    (store.root / "later").rmdir()
    store.scan()
    assert len(store.runs()) == 6


def test_lines_are_remembered_until_a_run_changes(store):
    panels = draw_panels(store, store.runs(), Selection())
    again = draw_panels(store, store.runs(), Selection())
    assert panels[0].lines[0] is again[0].lines[0]
    append_rows(store.root / "kl0.1_s0", [6000], [77.0])
    store.scan()
    changed = draw_panels(store, store.runs(), Selection())
    assert changed[0].lines[0] is not panels[0].lines[0]
    assert changed[0].lines[1] is panels[0].lines[1]


def test_warming_reads_every_column(store):
    store.warm()
    store._warming.join()
    assert set(store.runs()[0].progress._values) == set(all_columns(store.runs()))


def test_figure_holds_the_pooled_numbers(store):
    selection = Selection(show=("band", "seeds"))
    panels = draw_panels(store, store.runs(), selection)
    figure = make_figure(panels, X, 1, selection.show, "r")
    lines = {trace["name"]: trace for trace in figure["data"]}
    np.testing.assert_allclose(lines["kl_lambda=0.1"]["y"], np.arange(5) + 1)
    np.testing.assert_allclose(lines["kl_lambda=1"]["y"], np.arange(5) + 101)
    np.testing.assert_allclose(lines["kl_lambda=0.1"]["x"], 1000 * np.arange(1, 6))
    band = lines["kl_lambda=0.1, band"]["y"]
    np.testing.assert_allclose([band[0], band[-1]], [2, 0])
    assert lines["kl_lambda=1, seeds"]["y"].count(None) == 3
    assert figure["layout"]["showlegend"]
    json.dumps(figure, allow_nan=False)


def test_figure_of_nothing_and_of_several_columns(store):
    assert make_figure([], X, 1, (), "r")["data"] == []
    selection = Selection(y=(Y, "QF Loss"), split=("seed",), show=("reference",))
    figure = make_figure(draw_panels(store, store.runs(), selection), X, 2, selection.show, "r")
    axes = {trace["xaxis"] for trace in figure["data"]}
    assert len(axes) == 6
    assert all(0 <= figure["layout"][f"yaxis{a[1:]}"]["domain"][0] < 1 for a in axes)


def test_names_are_text_in_the_figure(store):
    make_run(store.root / "x", [1.0], make_config(note="<img src=x onerror=alert(1)>"))
    make_run(store.root / "y", [1.0], make_config(note="b"))
    store.scan()
    selection = Selection(group=("note",))
    figure = make_figure(draw_panels(store, store.runs(), selection), X, 1, selection.show, "r")
    assert "<img" not in json.dumps(figure)


def test_many_runs_use_fewer_resamples(store, monkeypatch):
    seen = []
    monkeypatch.setattr(store, "line", lambda group, y, options: seen.append(options))
    draw_panels(store, store.runs(), Selection())
    draw_panels(store, store.runs() * 200, Selection(statistic="iqm"))
    assert seen[0].num_resamples == 1000
    assert seen[-1].num_resamples == 150


def test_hundreds_of_runs_stay_quick(tmp_path):
    rows = np.arange(200.0)
    first = make_run(tmp_path / "r0", rows)
    for index in range(1, 300):
        shutil.copytree(first, tmp_path / f"r{index}")
        (tmp_path / f"r{index}" / "variant.json").write_text(json.dumps(make_config(kl_lambda=index % 20)))
    store = RunStore(tmp_path)
    start = time.process_time()
    store.scan()
    for selection in (Selection(), Selection(y=("QF Loss",)), Selection(statistic="iqm")):
        make_figure(draw_panels(store, store.runs(), selection), X, 1, selection.show, "r")
    assert time.process_time() - start < 3.0  # on a quiet machine a tenth of it


def test_link_holds_the_selection():
    selection = Selection(
        x="Epoch", y=("QF Loss", "a&b=c"), group=("seed",), split=("latent_size",), filter=("kl=0.1", "kl=1"),
        search="ü/ö", runs=("a/b c", "d"), statistic="iqm", smooth=7, show=("seeds",),
    )  # fmt: skip
    assert Selection.from_query(selection.to_query()) == selection
    assert Selection().to_query() == ""
    assert Selection.from_query(Selection(show=()).to_query()).show == ()


@pytest.mark.parametrize(
    "query", ["?x=&y=&smooth=-3&statistic=evil&show=all", "?%ff=%fe", "?smooth=9999999999", "x" * 999]
)
def test_nonsense_links_give_a_selection(query):
    selection = Selection.from_query(query)
    assert selection.y
    assert selection.statistic in ("mean", "iqm")
    assert 1 <= selection.smooth <= 101


def test_filters_are_or_within_and_and_across_keys(store):
    runs = store.runs()
    names = [run.name for run in matching(runs, ["algo_params.kl_lambda=1", "seed=0", "seed=2"], "")]
    assert names == ["kl1.0_s0", "kl1.0_s2"]
    assert [run.name for run in matching(runs, [], "S1")] == ["kl0.1_s1", "kl1.0_s1"]
    assert matching(runs, ["status=running"], "") == []
    choices = filter_choices(runs)
    assert "algo_params.kl_lambda=0.1" in choices
    assert "env_name=cheetah-vel" not in choices


def test_ticked_runs_or_else_all_that_pass(store):
    assert len(chosen_runs(store, Selection())) == 6
    assert [r.name for r in chosen_runs(store, Selection(runs=("kl0.1_s1", "gone")))] == ["kl0.1_s1"]


def test_tables(store):
    runs = store.runs()
    rows = run_rows(store, runs, Y)
    assert rows[0] | {"updated": 0, "age": ""} == {
        "name": "kl0.1_s0", "state": "finished", "updated": 0, "age": "", "iteration": 5,
        "env_name": "cheetah-vel", "seed": 0, "last": 4.0, "problem": "",
    }  # fmt: skip
    finals = final_rows(draw_panels(store, runs, Selection()))
    assert [(row["group"], row["final"], row["worst"], row["best"], row["seeds"]) for row in finals] == [
        ("kl_lambda=0.1", 5, 4, 6, 3),
        ("kl_lambda=1", 105, 104, 106, 3),
    ]
    names, table, *_ = config_diff([runs[0], runs[4]])
    assert names == ["kl0.1_s0", "kl1.0_s1"]
    assert [row for row in table if row[0] == "algo_params.kl_lambda"] == [["algo_params.kl_lambda", "0.1", "1"]]
    assert "env_name" not in [row[0] for row in table]


def test_ages():
    assert [age(seconds) for seconds in (-5, 59, 61, 7300, 200_000)] == [
        "just now", "just now", "1 min ago", "2 h ago", "2 d ago"
    ]  # fmt: skip


def test_messages(store, tmp_path):
    (tmp_path / "empty").mkdir()
    empty = RunStore(tmp_path / "empty")
    empty.scan()
    assert "No experiments" in message(empty, [], [])
    assert "filter" in message(store, [], [])
    (store.root / "kl0.1_s0" / "variant.json").unlink()
    store.scan()
    assert "kl0.1_s0: no variant.json" in message(store, store.runs(), draw_panels(store, [], Selection()))


OUTSIDE = [
    "../secret.png", "..%2fsecret.png", "%2e%2e/secret.png", "a/../../secret.png", "/etc/passwd",
    "//etc/hostname.png",
    "link.png", "linked/secret.png", "....//secret.png", "..\\secret.png", "a\0.png", ".hidden/x.png", "run/.x.png",
    "run/variant.json", "run/policy.pth", "run/page.html", "run/drawing.svg", "run", "", "missing.png",
    "x" * 5000 + ".png",
]  # fmt: skip


@pytest.fixture
def served(tmp_path):
    root = tmp_path / "root"
    (root / "run" / "plots").mkdir(parents=True)
    (root / ".hidden").mkdir()
    picture = b"\x89PNG\r\n\x1a\npicture"
    (tmp_path / "secret.png").write_bytes(b"secret")
    for name in (
        "run/plots/a b.png",
        "run/.x.png",
        ".hidden/x.png",
        "run/policy.pth",
        "run/page.html",
        "run/drawing.svg",
    ):
        (root / name).write_bytes(picture)
    make_run(root / "run", [1.0])
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "linked").symlink_to(tmp_path)
    app = create_app(RunStore(root), local_only=True)
    return root, app.server.test_client()


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_or_of_another_kind_is_served(served, path):
    root, client = served
    assert allowed_path(root, path) is None
    reply = client.get("/files/" + path.replace("\0", "%00"))
    is_page = (
        reply.status_code == 200 and b"_dash-config" in reply.data
    )  # the page itself stands at every other address
    assert is_page or reply.status_code in (301, 308, 404)
    assert b"secret" not in reply.data
    assert b"root:" not in reply.data


def test_pictures_are_served_with_a_tight_policy(served):
    root, client = served
    ((name, url),) = media_below(root / "run", root)
    assert name == "plots/a b.png"
    reply = client.get(url)
    assert reply.status_code == 200
    assert reply.mimetype == "image/png"
    assert "sandbox" in reply.headers["Content-Security-Policy"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_foreign_host_names_are_refused(served):
    _, client = served
    assert client.get("/", headers={"Host": "evil.example:8050"}).status_code == 403
    assert client.get("/", headers={"Host": "127.0.0.1.evil.example"}).status_code == 403
    for host in ("localhost:8050", "127.0.0.1", "[::1]:8050"):
        assert client.get("/", headers={"Host": host}).status_code == 200


def test_page_may_load_nothing_from_elsewhere(served):
    _, client = served
    page = client.get("/")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "https://" not in page.text


def test_loopback():
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "192.168.1.2", "::", "example.org"))


def run_script(*arguments, cwd):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "output: no such folder"), (["."], "cannot listen"), ([".", "--port", "x"], "--port"), (["."], "--port")],
)
def test_wrong_input_is_one_line(tmp_path, arguments, said):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        extra = ["--port", port] if arguments == ["."] else []
        done = run_script(*arguments, *extra, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_script_serves_and_warns_where_others_can_see(tmp_path, host, warns):
    command = [sys.executable, str(SCRIPT), str(tmp_path), "--port", "0", "--host", host]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        port = line.split(":")[-1].split("/")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as page:
            assert page.status == 200
        time.sleep(0.1)
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert ("warning: whoever can reach 0.0.0.0" in errors) == warns
