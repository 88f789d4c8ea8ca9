"""Imports go one way, as the layout says."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {  # package -> what it may import of this project
    "envs": {"envs"},
    "rlkit/util": {"rlkit.util"},
    "rlkit/config": {"rlkit.util", "rlkit.config"},
    "rlkit/samplers": {"rlkit.util", "rlkit.samplers", "rlkit.core.protocols"},
    "rlkit/data_management": {"rlkit.util", "rlkit.config", "rlkit.data_management"},
    "rlkit/torch": {"rlkit.util", "rlkit.config", "rlkit.data_management", "rlkit.torch"},
    "rlkit/core": {
        "rlkit.util",
        "rlkit.config",
        "rlkit.samplers",
        "rlkit.data_management",
        "rlkit.torch",
        "rlkit.core",
    },
    "rlkit/runs": {"rlkit.util", "rlkit.config", "rlkit.data_management", "rlkit.core", "rlkit.runs"},
    "rlkit/viz": {"rlkit.util", "rlkit.config", "rlkit.runs", "rlkit.viz"},
    "rlkit/reproduction": {
        "envs",
        "rlkit.util",
        "rlkit.config",
        "rlkit.runs",
        "rlkit.viz",
        "rlkit.launchers",
        "rlkit.reproduction",
    },
}
OURS = ("envs", "rlkit", "scripts", "launch_experiment", "tests")


def imports(path):
    """Modules that `path` imports when it runs; what is under TYPE_CHECKING is for the type checker alone."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or "scripts" in path.parts, f"{path}: relative import"
            yield node.module if node.level == 0 else "."


def modules(package):
    files = sorted((ROOT / package).rglob("*.py"))
    return [file for file in files if package != "rlkit/torch" or "sac" not in file.parts]


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_what_is_below_them(package):
    files = modules(package)
    assert files
    for file in files:
        for module in imports(file):
            if module.split(".")[0] in OURS:
                allowed = any(module == name or module.startswith(name + ".") for name in ALLOWED[package])
                assert allowed, f"{file} imports {module}"
                assert package == "rlkit/torch/sac" or not module.startswith("rlkit.torch.sac"), f"{file}: {module}"


def test_runs_need_neither_torch_nor_environments():
    for file in modules("rlkit/runs"):
        for module in imports(file):
            if module == "torch.utils.tensorboard":
                assert file.name == "logger.py"
                continue
            top = module.split(".")[0]
            assert top not in ("torch", "gymnasium", "mujoco", "mjbatch"), f"{file} imports {module}"


def test_only_the_physics_module_knows_mjbatch():
    users = [file for file in (ROOT / "envs").rglob("*.py") if any(m.startswith("mjbatch") for m in imports(file))]
    assert [file.name for file in users] == ["physics.py"]


def test_nothing_imports_the_launcher_or_the_scripts():
    for folder in ("envs", "rlkit", "scripts"):
        for file in (ROOT / folder).rglob("*.py"):
            for module in imports(file):
                assert module.split(".")[0] not in ("launch_experiment", "scripts", "tests"), f"{file}: {module}"
