"""Build the container image with no image registry, and use it as a plain user: a training, a study, the fast tests.

Needs root and two Debian packages: apt-get install mmdebstrap buildah. Each stage says how long it took; what it
printed is in OUT/STAGE.log, all figures are in OUT/results.json.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click

from rlkit.config.files import load_config
from rlkit.launchers.runs import ROOT
from rlkit.runs.folder import DEBUG_NAME, DOCKER_LOG_DIR, VERSIONS_FILE, RunFolder
from rlkit.sweep.session import TABLE_FILE
from rlkit.sweep.table import read_table
from rlkit.util.command import Command, UserPath, run_command
from rlkit.util.errors import RunError, UserError
from rlkit.util.files import read_json, write_json
from rlkit.util.machine import cpu_model, git_state

CONFIG = "configs/debug.json"
PROGRAMS = ("mmdebstrap", "buildah")
PIP_SETTINGS = ("index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "timeout")
CERTIFICATE = "/run/pip-ca.crt"  # in the container: Debian's own file is rewritten there while it is built
STUDY = {"base": CONFIG, "seeds": 2, "space": {"algo_params.kl_lambda": {"grid": [0.1, 1.0]}}}


@click.command(cls=Command, help=__doc__)
@click.option("--out", type=UserPath(), default=Path("output/container_check"), show_default=True)
@click.option("--suite", default="bookworm", show_default=True, help="Debian's release that the base is of.")
@click.option("--base", type=UserPath(exists=True), help="A tar file of a base's file system: none is made.")
@click.option("--torch", default="torch", show_default=True, help="The image's build argument TORCH.")
@click.option("--user", default="4711:4711", show_default=True, help="Who runs it; not known in the image.")
@click.option("--tests", multiple=True, default=("tests",), show_default=True, help="Files and folders of tests.")
@click.option("--keep", is_flag=True, help="Leave the image where it was built.")
def main(out: Path, suite: str, base: Path | None, torch: str, user: str, tests: Sequence[str], keep: bool) -> int:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        raise UserError(f"needs root and Debian's {' and '.join(PROGRAMS)}: apt-get install {' '.join(PROGRAMS)}")
    out = out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    storage = Path(tempfile.mkdtemp(prefix="container_check-", dir="/var/tmp"))
    image = Image(storage, out, user)
    try:
        check(image, suite, base, torch, tests)
    finally:
        if keep:
            click.echo(f"the image: BUILDAH_ISOLATION=chroot buildah {' '.join(image.place)} images")
        else:
            image.buildah("rm", "--all", log="clean")
            shutil.rmtree(storage)
    return 0


class Image:
    """An image that is built in a folder of its own, and one container of it that everything runs in."""

    def __init__(self, storage: Path, out: Path, user: str) -> None:
        """`storage` is buildah's, `out` has the logs, `user` is UID:GID."""
        self.storage, self.out, self.user = storage, out, user
        self.results = out / "results"  # mounted
        # STORAGE_DRIVER does not count where --root is given
        self.place = ("--storage-driver", "vfs", "--root", f"{storage}/root", "--runroot", f"{storage}/run")
        self.pip = storage / "pip.conf"
        self.mounts = pip_in_container(pip_settings(), self.pip)

    def buildah(self, *words: str, log: str) -> str:
        return self.call(["buildah", *self.place, *words], log)

    def call(self, command: Sequence[str], log: str) -> str:
        """Run a command, everything that it prints into a log; returns the last line.

        Raises:
            RunError: it failed.
        """
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        path = self.out / f"{log}.log"
        with path.open("ab") as file:
            ended = subprocess.run(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )
        if ended.returncode:
            raise RunError(f"{log}: {command[0]} ended with exit code {ended.returncode}; see {path}")
        return path.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]

    def make_base(self, suite: str, base: Path | None) -> None:
        """Make the image `base` of Debian's own packages, or of the file system `base`."""
        if base is None:
            base = self.storage / "base.tar"
            self.call(["mmdebstrap", "--variant=minbase", suite, str(base)], "base")
        self.buildah("from", "--name", "base", "scratch", log="base")
        root = self.buildah("mount", "base", log="base")
        self.call(["tar", "-C", root, "--numeric-owner", "-xf", str(base)], "base")
        self.buildah("commit", "--rm", "base", "base", log="base")

    def build(self, torch: str, commit: str) -> None:
        """Build the image `pearl` as Dockerfile says, and make a container of it."""
        arguments = {"BASE": "localhost/base", "TORCH": torch, "COMMIT": commit}
        given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        secret = ("--secret", f"id=pip,src={self.pip}")
        self.buildah("build", *given, *secret, *volumes(self.mounts), "--tag", "pearl", ".", log="build")
        self.buildah("from", "--name", "pearl", "localhost/pearl", log="build")

    def run(self, *command: str, log: str) -> None:
        """Run a command in the container as `user`, the folder of results mounted."""
        mounts = volumes({str(self.results): f"{DOCKER_LOG_DIR}:rw"})
        self.buildah("run", "--user", self.user, *mounts, "pearl", "--", *command, log=log)

    def install_what_tests_need(self) -> None:
        """Add the extra `dev` to the container; the image stays as it is."""
        mounts = volumes({**self.mounts, str(self.pip): "/run/pip.conf:ro"})
        install = ("pip", "install", "--no-cache-dir", "-c", "constraints.txt", "-e", ".[dev]")
        root = ("--user", "0", "--env", "PIP_CONFIG_FILE=/run/pip.conf")
        self.buildah("run", *root, *mounts, "pearl", "--", *install, log="dev")

    @property
    def megabytes(self) -> int:
        """What a container of the image takes on the disk: every file of it, uncompressed."""
        root = self.buildah("mount", "pearl", log="size")
        return int(self.call(["du", "-xsm", root], "size").split()[0])


def check(image: Image, suite: str, base: Path | None, torch: str, tests: Sequence[str]) -> None:
    """Go through the stages.

    Raises:
        RunError: one of them failed.
    """
    uid, gid = map(int, image.user.split(":"))
    image.results.mkdir()
    os.chown(image.results, uid, gid)
    commit = str(git_state(ROOT)["git_commit"] or "unknown")
    figures: dict[str, Any] = {"cpu": cpu_model(), "cores": os.cpu_count(), "commit": commit, "seconds": {}}

    def stage(name: str, do: Callable[[], object]) -> None:
        began = time.monotonic()
        do()
        figures["seconds"][name] = round(time.monotonic() - began)
        click.echo(f"{name}: {figures['seconds'][name]} s")
        write_json(image.out / "results.json", figures)

    train = ("python", "launch_experiment.py", CONFIG, "--seed", "1", "--set", "util_params.docker=true")
    fast = ("-m", "not slow and not browser", "-n", "auto", "--dist", "loadfile", "-p", "no:cacheprovider")
    runs, report = image.results / load_config(ROOT / CONFIG).env_name, image.results / "tests.xml"
    stage("base", lambda: image.make_base(suite, base))
    stage("build", lambda: image.build(torch, commit))
    figures["image MB"] = image.megabytes
    click.echo(f"image: {figures['image MB']} MB")
    stage("train", lambda: image.run(*train, log="train"))
    require_run(runs / DEBUG_NAME, uid, commit)
    write_json(image.results / "study.json", STUDY)
    stage("sweep", lambda: image.run("python", "scripts/sweep.py", f"{DOCKER_LOG_DIR}/study.json", log="sweep"))
    require_study(runs / "study")
    stage("dev", image.install_what_tests_need)
    junit = f"--junitxml={DOCKER_LOG_DIR}/{report.name}"
    stage("tests", lambda: image.run("python", "-m", "pytest", *fast, junit, *tests, log="tests"))
    figures["tests"] = counted(report)
    click.echo(f"tests: {figures['tests']}")
    write_json(image.out / "results.json", figures)


def require_run(folder: Path, uid: int, commit: str) -> None:
    """See that the training left a finished run in the mounted folder, the user's own, that names its commit.

    Raises:
        RunError: it did not.
    """
    run = RunFolder(folder)
    if not run.is_finished or not run.rows():
        raise RunError(f"train: {folder} is no finished run")
    strange = [path for path in (folder, *folder.rglob("*")) if path.stat().st_uid != uid]
    if strange:
        raise RunError(f"train: {strange[0]} is not of user {uid}")
    found = (read_json(folder / VERSIONS_FILE) or {}).get("git_commit")
    if found != commit:
        raise RunError(f"train: {folder / VERSIONS_FILE} names commit {found}, not {commit}")


def require_study(folder: Path) -> None:
    """See that all runs of the study finished, in the mounted folder.

    Raises:
        RunError: they did not.
    """
    states = [row.state for row in read_table(folder / TABLE_FILE, ())]
    if states != ["finished"] * 4:
        raise RunError(f"sweep: the runs of {folder} are {', '.join(states) or 'not there'}")


def counted(report: Path) -> dict[str, int]:
    """How many tests a report in JUnit's form has, and how many of them were left out."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    return {name: sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "skipped", "failures")}


def pip_settings() -> dict[str, str]:
    """Where pip of this machine looks for packages, by its files and its environment, which comes first."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    values = [(name, ast.literal_eval(value)) for name, _, value in (line.partition("=") for line in lines)]
    values.sort(key=lambda setting: setting[0].startswith(":env:"))
    return {name.rpartition(".")[2]: value for name, value in values}


def pip_in_container(settings: Mapping[str, str], file: Path) -> dict[str, str]:
    """Write a pip.conf that says the same within a container.

    Returns:
        What of this machine it needs mounted: folder or file -> place and mode.
    """
    told = {name: settings[name].split() for name in PIP_SETTINGS if name in settings}
    lines = ["[global]", *(f"{name} = {' '.join(words)}" for name, words in told.items())]
    mounts = {}
    for word in chain.from_iterable(told.values()):
        path = Path(word.removeprefix("file://"))
        if path.is_absolute() and path.exists():
            place = path.parent if path.name == "simple" else path  # an index's links lead beside it
            mounts[str(place)] = f"{place}:ro"
    if "cert" in settings:
        lines.append(f"cert = {CERTIFICATE}")
        mounts[settings["cert"]] = f"{CERTIFICATE}:ro"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return mounts


def volumes(mounts: Mapping[str, str]) -> list[str]:
    """Options of buildah."""
    return [word for place, target in mounts.items() for word in ("--volume", f"{place}:{target}")]


if __name__ == "__main__":
    run_command(main)
