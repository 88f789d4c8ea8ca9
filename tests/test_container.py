"""The container image: Dockerfile and .dockerignore fit the tree, and the script that proves them fits Dockerfile."""

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import container_check  # noqa: E402
from rlkit.config.files import load_config  # noqa: E402
from rlkit.runs import folder  # noqa: E402
from rlkit.util.errors import RunError  # noqa: E402
from rlkit.util.machine import COMMIT_VARIABLE, git_state  # noqa: E402

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def lines(name):
    return [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]


def test_what_git_ignores_stays_out_of_the_image():
    """Docker's patterns begin at the root, git's anywhere unless they have a slash within."""
    expected = [name if "/" in name else f"**/{name}" for name in (line.rstrip("/") for line in lines(".gitignore"))]
    assert lines(".dockerignore") == [".git", *expected]


def test_what_is_copied_exists():
    sources = [name for copied in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for name in copied.split()]
    assert len(sources) > 3
    assert not [name for name in sources if not (ROOT / name).exists()]


def test_no_root_is_needed_and_results_go_where_docker_true_writes():
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)[-1] == "1000:1000"  # Kubernetes asks for numbers
    assert f"mkdir -p {folder.DOCKER_LOG_DIR} && chmod 1777 {folder.DOCKER_LOG_DIR}" in DOCKERFILE
    assert f" {COMMIT_VARIABLE}=$COMMIT" in DOCKERFILE


def test_extras_are_those_of_the_package():
    extras = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"^ARG EXTRAS=(.+)$", DOCKERFILE, re.MULTILINE)[0].split(",")) <= set(extras)


@pytest.mark.parametrize("name", ["docs/container.md", "scripts/container_check.py"])
def test_build_arguments_are_those_of_the_file(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r'--build-arg "?([A-Z]+)=', text) + re.findall(r'"([A-Z]+)": ', text))
    assert named >= {"COMMIT", "TORCH"}
    assert named <= set(re.findall(r"^ARG ([A-Z]+)=", DOCKERFILE, re.MULTILINE))


def test_docker_true_writes_below_the_mounted_folder(tmp_path, monkeypatch):
    assert folder.DOCKER_LOG_DIR == "/mounts/output"  # the reference's
    monkeypatch.setattr(folder, "DOCKER_LOG_DIR", str(tmp_path / "mounted"))
    config = load_config(ROOT / "configs/debug.json", ["util_params.docker=true"], {})
    assert folder.create_folder(config, None).path == tmp_path / "mounted/point-robot/debug"


def test_an_image_says_what_it_was_built_from(tmp_path, monkeypatch):
    monkeypatch.delenv(COMMIT_VARIABLE, raising=False)
    assert git_state(tmp_path) == {"git_commit": None, "git_changed": None}
    monkeypatch.setenv(COMMIT_VARIABLE, "abc")
    assert git_state(tmp_path) == {"git_commit": "abc", "git_changed": None}


def test_pip_looks_in_the_container_where_it_looks_here(tmp_path):
    index, wheels, cert = tmp_path / "pypi/simple", tmp_path / "wheels", tmp_path / "ca.crt"
    index.mkdir(parents=True)
    wheels.mkdir()
    cert.touch()
    settings = {"extra-index-url": f"file://{index}\nfile:///none", "find-links": str(wheels), "cert": str(cert)}
    file = tmp_path / "pip.conf"
    assert container_check.pip_in_container(settings | {"quiet": "1"}, file) == {
        f"{tmp_path}/pypi": f"{tmp_path}/pypi:ro",
        str(wheels): f"{wheels}:ro",
        str(cert): "/run/pip-ca.crt:ro",
    }
    assert file.read_text() == (
        f"[global]\nextra-index-url = file://{index} file:///none\nfind-links = {wheels}\ncert = /run/pip-ca.crt\n"
    )


def test_pip_s_environment_goes_before_its_files(tmp_path, monkeypatch):
    file = tmp_path / "pip.conf"
    file.write_text("[global]\ntimeout = 3\nfind-links = /from-file\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_FIND_LINKS", "/from-environment")
    monkeypatch.delenv("PIP_DEFAULT_TIMEOUT", raising=False)
    found = container_check.pip_settings()
    assert (found["timeout"], found["find-links"]) == ("3", "/from-environment")


@pytest.mark.parametrize(("program", "uid"), [(None, 0), ("/usr/bin/it", 1000)])
def test_one_line_says_what_the_check_needs(tmp_path, monkeypatch, program, uid):
    monkeypatch.setattr(container_check.shutil, "which", lambda name: program)
    monkeypatch.setattr(container_check.os, "geteuid", lambda: uid)
    result = CliRunner().invoke(container_check.main, ["--out", str(tmp_path / "out")])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "needs root" in result.stderr
    assert "apt-get install mmdebstrap buildah" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_stage_that_fails_ends_the_check(tmp_path, monkeypatch):
    monkeypatch.setattr(container_check, "pip_settings", dict)
    image = container_check.Image(tmp_path, tmp_path, "1:1")
    with pytest.raises(RunError, match=r"^stage: sh ended with exit code 3; see .*stage\.log$"):
        image.call(["sh", "-c", "echo why; exit 3"], "stage")
    assert (tmp_path / "stage.log").read_text() == "why\n"


@pytest.mark.parametrize("fault", ["unfinished", "other commit", "other user"])
def test_a_training_that_left_no_results_is_told(tmp_path, fault):
    (tmp_path / "status.json").write_text(
        '{"state": "%s", "iteration": 1}' % ("failed" if fault[0] == "u" else "finished")
    )
    (tmp_path / "progress.csv").write_text("Epoch\n0\n")
    (tmp_path / "versions.json").write_text('{"git_commit": "abc"}')
    uid = tmp_path.stat().st_uid
    commit, user = ("def" if fault == "other commit" else "abc"), (uid + 1 if fault == "other user" else uid)
    with pytest.raises(RunError, match=r"finished run|names commit abc|is not of user"):
        container_check.require_run(tmp_path, user, commit)


def test_a_training_with_results_is_accepted(tmp_path):
    (tmp_path / "status.json").write_text('{"state": "finished", "iteration": 1}')
    (tmp_path / "progress.csv").write_text("Epoch\n0\n")
    (tmp_path / "versions.json").write_text('{"git_commit": "abc"}')
    container_check.require_run(tmp_path, tmp_path.stat().st_uid, "abc")


def test_tests_are_counted(tmp_path):
    report = tmp_path / "tests.xml"
    report.write_text('<testsuites><testsuite tests="5" skipped="2" failures="1" errors="1"/></testsuites>')
    assert container_check.counted(report) == {"tests": 5, "skipped": 2, "failures": 1}
