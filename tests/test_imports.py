"""The house is a staircase: each floor names only itself and the floors below it, for the type checker too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STAIRCASE = [  # from the bottom up, as the layout says
    "rlkit",  # only says what it is
    "rlkit.util",
    "rlkit.config",
    "rlkit.samplers",
    "rlkit.data_management",
    "rlkit.torch",  # networks, encoders, distributions
    "rlkit.torch.fast",
    "rlkit.torch.sac",
    "rlkit.core",
    "rlkit.runs",
    "rlkit.viz",
    "rlkit.launchers",
    "rlkit.sweep",
    "rlkit.reproduction",
    "scripts",
    "launch_experiment",
]
BESIDE = "envs"  # a package of its own, for those who build or draw environments
MAY_NAME_ENVS = ("rlkit.launchers", "rlkit.sweep", "rlkit.reproduction", "scripts", BESIDE)
FOLDERS = ("rlkit", "scripts", "envs")
FILES = [*sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")), ROOT / "launch_experiment.py"]


def name_of(path):
    """The module that a file is."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module):
    """The floor that a module of this project stands on: the one that its name begins with, the longest such."""
    if module.split(".")[0] in ("rlkit", BESIDE):
        package = module if (ROOT / module.replace(".", "/")).is_dir() else module.rpartition(".")[0]
        while package not in (*STAIRCASE, BESIDE) and package.count(".") > 1:
            package = package.rpartition(".")[0]  # a folder within a floor
        package = package.split(".")[0] if package.startswith(BESIDE) else package
    else:
        package = module.split(".")[0]
    covered = package in (*STAIRCASE, BESIDE) and (package != "rlkit" or module == "rlkit")
    assert covered, f"{module} stands on no floor: say in STAIRCASE what it may name"
    return package


def imports(path):
    """Modules that `path` names, also inside functions and for the type checker."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or name_of(path).startswith("scripts."), f"{path}: relative import"
            if node.level:
                yield "scripts"
            elif (ROOT / f"{node.module}".replace(".", "/")).is_dir():  # a folder's modules, or names of its __init__
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def is_ours(module):
    folder = ROOT / "scripts" / module.split(".")[0]
    return module.split(".")[0] in (*FOLDERS, "launch_experiment", "tests") or folder.is_dir()


def fault_of(module, imported):
    """Why `module` may not name `imported`; None where it may."""
    if (ROOT / "scripts" / imported.split(".")[0]).is_dir():
        imported = f"scripts.{imported}"
    own, other = floor_of(module), floor_of(imported)
    if other == BESIDE:
        return None if own in MAY_NAME_ENVS else f"{module} names the environments: {imported}"
    if own == BESIDE or STAIRCASE.index(other) > STAIRCASE.index(own):
        return f"{module} ({own}) names {imported} ({other}) above it"
    return None


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_names_only_its_floor_and_those_below(path):
    floor_of(name_of(path))
    faults = [fault_of(name_of(path), module) for module in imports(path) if is_ours(module)]
    assert [fault for fault in faults if fault] == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("rlkit.samplers.path_sampler", "rlkit.torch.sac.agent"),
        ("rlkit.torch.networks", "rlkit.torch.fast.adam"),
        ("rlkit.torch.fast.acting", "rlkit.torch.sac.policies"),
        ("rlkit.core.collector", "rlkit.runs.logger"),
        ("rlkit.core.collector", "envs"),
        ("rlkit.viz.dashboard.app", "rlkit.launchers.train"),
        ("envs.base", "rlkit.util.errors"),
        ("rlkit.sweep.engine", "scripts"),
    ],
)
def test_what_looks_up_is_a_fault(module, imported):
    assert fault_of(module, imported) is not None


def test_a_module_that_no_rule_covers_is_a_fault():
    for module in ("rlkit.newcomer.part", "rlkit.loose", "tools"):
        with pytest.raises(AssertionError, match="stands on no floor"):
            floor_of(module)


def test_reading_and_drawing_runs_needs_neither_torch_nor_environments():
    """Also not by way of what they import: a report or a dashboard starts in a moment."""
    names = [name_of(path) for path in FILES if path.is_relative_to(ROOT / "rlkit" / "viz")]
    names += ["rlkit.runs.folder", "rlkit.runs.logger"]
    slow = ["torch", "gymnasium", "mujoco", "mjbatch", "envs"]
    code = f"import sys, {', '.join(names)}; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_physics_module_knows_mjbatch():
    users = [path for path in FILES if any(module.startswith("mjbatch") for module in imports(path))]
    users = [path for path in users if not path.is_relative_to(ROOT / "scripts")]  # a benchmark times it
    assert [name_of(path) for path in users] == ["envs.physics"]
