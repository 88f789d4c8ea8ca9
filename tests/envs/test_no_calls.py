"""A config's `module:name` calls nothing but classes of environments."""

import json

import pytest
from click.testing import CliRunner

import envs
from launch_experiment import main


@pytest.mark.parametrize("name", ["os:system", "subprocess:run", "builtins:exec", "subprocess:Popen", "os:environ"])
def test_what_is_no_class_of_environments_is_not_called(tmp_path, name):
    touched = tmp_path / "touched"
    config = {"env_name": name, "env_params": {"command": f"touch {touched}", "args": ["touch", str(touched)]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    result = CliRunner().invoke(main, [str(tmp_path / "config.json"), "--cpu", "--set", "util_params.plots=false"])
    assert result.exit_code == 2, result.output
    assert len(result.output.splitlines()) == 1
    assert not touched.exists()
    with pytest.raises(ValueError, match=r"class|lacks"):
        envs.make_env(name, 1, command=f"touch {touched}")
    assert not touched.exists()
