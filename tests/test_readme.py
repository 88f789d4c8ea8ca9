"""What the README shows is run as it stands there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import envs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def block(language, containing):
    """The one code block of `language` that holds a text."""
    blocks = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in text]
    assert len(blocks) == 1, (containing, len(blocks))
    return blocks[0]


def test_the_example_environment_trains(tmp_path):
    (tmp_path / "windy_robot.py").write_text(block("python", "class WindyRobot"))
    config = json.loads(block("json", "windy_robot:WindyRobot"))
    config["base"] = str(ROOT / config["base"])
    (tmp_path / "windy-robot.json").write_text(json.dumps(config))
    command = [sys.executable, str(ROOT / "launch_experiment.py"), "windy-robot.json", "--debug", "--cpu"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "output/windy_robot.WindyRobot/debug"
    assert len((folder / "progress.csv").read_text().splitlines()) == 3
    assert set(json.loads((folder / "tasks.json").read_text())["tasks"][0]) == {"wind"}
    picture = (
        "import envs; print(envs.make_env('windy_robot:WindyRobot', 1, render_mode='rgb_array').render()[0].shape)"
    )
    drawn = subprocess.run([sys.executable, "-c", picture], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert drawn.stdout.count(",") == 2, drawn.stderr


def test_a_trained_agent_is_used_from_python(tmp_path, monkeypatch):
    command = [sys.executable, str(ROOT / "launch_experiment.py"), str(ROOT / "configs/debug.json"), "--cpu"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    monkeypatch.chdir(tmp_path)
    variables = {"env": envs.SingleEnv("point-robot", task=1)}
    exec(compile(block("python", "agent.update"), "README.md", "exec"), variables)
    assert len(variables["belief"].context) == 3 * 20
    assert (variables["belief"].var < variables["agent"].prior().var).all()


def test_training_from_python(tmp_path, monkeypatch, capsys):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    variables = {"observation": [0.1, 0.2]}
    exec(compile(block("python", "on_iteration"), "README.md", "exec"), variables)
    assert variables["action"].shape == (2,)
    assert "algo_params" in json.loads((variables["folder"].path / "variant.json").read_text())
    last_line = capsys.readouterr().out.splitlines()[-1]
    assert float(last_line) == variables["folder"].rows()[-1]["AverageReturn"]


def test_every_config_is_listed_and_exists():
    table = README[README.index("| config | domain") : README.index("Training tasks are the first")]
    listed = set(re.findall(r"`([a-z-]+)`", table)) - {"point-robot"} | {"point-robot"}
    present = {path.stem for path in (ROOT / "configs").glob("*.json")} - {"metaworld-ml1-reach"}
    assert listed == present


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_every_output_column_is_explained():
    """A column of progress.csv, or the part before its statistic, is in the README."""
    columns = (
        "Z mean train,KL Loss,QF Loss,Q Predictions,Policy log std,Z variance eval,Number of rollouts total,Epoch"
    )
    columns += (
        ",AverageReturn_all_test_tasks,Sample Time (s),(Previous) Eval Time (s),AverageReturn,Test Return Trajectory"
    )
    for column in columns.split(","):
        assert f"`{column}" in README, column
