"""`python -m envs`: the table, a description, a film, and errors in one line."""

import sys

import pytest

import envs
from envs import rendering, video
from envs.__main__ import main
from envs.catalogue import CATALOGUE


def test_the_table_lists_every_family(capsys):
    assert main([]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "id"
    assert [row.split()[0] for row in rows] == sorted(envs.FAMILIES)
    row = next(row for row in rows if row.startswith("ant-goal "))
    assert row.split()[-5:] == ["113", "8", "200", "150/30", "Ant-Goal-2D"]
    assert CATALOGUE.keys() == envs.FAMILIES.keys()


def test_one_family_is_described(capsys):
    assert main(["ant-dir"]) == 0
    out = capsys.readouterr().out
    assert "Walk in the direction" in out
    assert "observation (27,), action (8,)" in out
    assert '{"angle":' in out


def test_a_film_of_a_random_policy(tmp_path, capsys):
    path = tmp_path / "out.mp4"
    assert main(["point-robot", "--render", str(path), "--task", "1", "--steps", "30"]) == 0
    assert path.read_bytes()[4:8] == b"ftyp"
    assert "30 steps of point-robot, goal (" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cheetah"], "unknown environment 'cheetah'"),
        (["point-robot", "--render", "FOLDER/none/x.mp4"], "must be an .mp4 file in a folder that exists"),
        (["point-robot", "--render", "FOLDER/x.txt"], "must be an .mp4 file"),
        (["point-robot", "--render", "FOLDER/x.mp4", "--task", "5"], "task index must be in 0..1, got 5"),
    ],
)
def test_errors_are_one_line(arguments, message, tmp_path, capsys):
    assert main([argument.replace("FOLDER", str(tmp_path)) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_what_is_missing_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rendering, "_backends", lambda: ["no_such_backend"])
    assert main(["ant-dir", "--render", str(tmp_path / "x.mp4")]) == 2
    assert "libosmesa6" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert main(["point-robot", "--render", str(tmp_path / "x.mp4")]) == 2
    assert video.INSTALL in capsys.readouterr().err
