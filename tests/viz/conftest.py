"""A dashboard on a free port, and a headless Chromium to look at it with."""

import os
import shutil
import threading

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
IN_CI = os.environ.get("CI", "").lower() == "true"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
deselected = []


def pytest_collection_modifyitems(config, items):
    """Without Chromium the browser tests are left out, saying so; in CI they run and fail."""
    if CHROMIUM or IN_CI:
        return
    deselected.extend(item for item in items if item.get_closest_marker("browser"))
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def pytest_terminal_summary(terminalreporter):
    if deselected:
        terminalreporter.write_line(
            f"{len(deselected)} browser tests left out: no Chromium (tests/viz/install_browser.sh installs it)"
        )


@pytest.fixture(scope="session")
def chromium():
    if not CHROMIUM:
        pytest.fail("no Chromium: run tests/viz/install_browser.sh")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def serve(monkeypatch):
    """A function that serves a folder's dashboard, with quick polling, and returns its address."""
    from werkzeug.serving import make_server

    from rlkit.viz.dashboard import layout, store
    from rlkit.viz.dashboard.app import create_app

    monkeypatch.setattr(layout, "POLL_MS", 300)
    monkeypatch.setattr(store, "MIN_SCAN_INTERVAL_S", 0.1)
    servers = []

    def start(folder):
        app = create_app(store.RunStore(folder), local_only=True)
        server = make_server("127.0.0.1", 0, app.server, threaded=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
