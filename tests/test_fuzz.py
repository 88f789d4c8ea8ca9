"""Whatever is in a config or on the command line: a run, or one clear line and exit code 2."""

import contextlib
import json
import string
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import launch_experiment
from rlkit.config.files import load_config
from rlkit.config.rules import known_keys
from rlkit.config.settings import Config
from rlkit.util.errors import UserError

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**300, max_value=10**301),
    st.floats(),
    st.text(),
    st.sampled_from(["", "\0", "\n", "\ud800", "nan", "../..", "point-robot", "os:path", ":", "a:b:c", ".a:b"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)
KEYS = st.sampled_from([*known_keys(), "base", "algo_params", "env_params", "util_params"]) | st.text(max_size=12)
MUTATIONS = st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=4)
GENTLE = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def mutated(mutations):
    tree = json.loads(Path("configs/sparse-point-robot.json").read_text())
    for key, value in mutations:
        *sections, name = key.split(".") if key in known_keys() else [key]
        place = tree
        for section in sections:
            if not isinstance(place.get(section), dict):
                place[section] = {}
            place = place[section]
        place[name] = value
    return tree


@pytest.mark.slow
@settings(max_examples=10_000, **GENTLE)
@given(mutations=MUTATIONS)
def test_mutated_configs_load_or_name_their_fault(tmp_path_factory, mutations):
    path = tmp_path_factory.getbasetemp() / "mutated.json"
    path.write_text(json.dumps(mutated(mutations)))
    with contextlib.suppress(UserError):  # anything else is a fault of the program
        assert isinstance(load_config(path), Config)


@settings(max_examples=300, **GENTLE)
@given(text=st.text() | st.text(alphabet='{}[]":,truefalsn0123456789.eE+- ') | st.binary())
def test_any_file_loads_or_names_its_fault(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.json"
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    path.write_bytes(data)
    with pytest.raises(UserError):
        load_config(path)


ARGUMENTS = st.lists(
    st.sampled_from(
        [
            *["configs/debug.json", "configs", "nowhere", "--gpu", "--cpu", "--seed", "--set", "--name", "--debug"],
            *["--resume", "latest", "0", "-1", "net_size=8", "=", "a=b", "algo_params.x=1", "--help", "--bad", "/"],
            *["net_size=1e999", "env_params.a.b=1", "util_params=null", "algo_params.meta_batch=[]", "x" * 5000],
        ]
    )
    | st.text(alphabet=string.printable, max_size=8),
    max_size=6,
)


@settings(max_examples=300, **GENTLE)
@given(arguments=ARGUMENTS)
def test_any_command_line_runs_or_names_its_fault(monkeypatch_module, arguments):
    result = CliRunner().invoke(launch_experiment.main, arguments)
    assert result.exit_code in (0, 2), (arguments, result.output)
    assert result.exception is None or isinstance(result.exception, SystemExit), (arguments, result.exception)
    if result.exit_code == 2:
        assert result.output.strip()


@pytest.fixture(scope="module")
def monkeypatch_module():
    """Nothing is trained: what is read and checked before a run is what these tests are about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch_experiment, "run", lambda *args, **kwargs: None)
        yield
