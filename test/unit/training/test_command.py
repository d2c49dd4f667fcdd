"""`vjepa-mpc train` as somebody runs it: what it refuses, what it leaves behind, and how it goes on."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors import safe_open

from vjepa_mpc.tools.cli import main
from vjepa_mpc.training.dataset import shard_folder, write_shard
from vjepa_mpc.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[3]
SIZES = {"embed_dim": 24, "depth": 1, "num_heads": 1}
RECIPE: dict[str, Any] = {
    "model": {"img_size": 32, "encoder": SIZES, "predictor": {**SIZES, "predictor_embed_dim": 24}},
    "data": {"episodes": 3, "validation_episodes": 3, "shard_episodes": 3},
    "batch": {"clips": 2, "rollout_clips": 1, "bfloat16": False},
    "validate_every": 50,
    "checkpoint_every": 2,
    "stages": [{"steps": 4}],
}
SIMULATED = {"origin": "simulator", "seed": 0, "shard_episodes": 3, "image_size": 32}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data like the simulator's in ``data`` and a recipe for them."""
    rng = np.random.default_rng(0)
    for index in range(2):
        states = rng.uniform(0.3, 0.6, (3, 5, 7)).astype(np.float32)
        images = rng.integers(0, 255, (3, 5, 32, 32, 3), dtype=np.uint8)
        write_shard(shard_folder(tmp_path / "data", index), images, states, states.copy())
    (tmp_path / "data" / "data.json").write_text(json.dumps(SIMULATED))
    write_recipe(tmp_path)
    return tmp_path


def write_recipe(folder: Path, **changes: Any) -> None:
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**RECIPE, **changes}))


def train(folder: Path, *options: str) -> int:
    paths = ("--config", str(folder / "recipe.yaml"), "--data", str(folder / "data"), "--out", str(folder / "out"))
    return main(["train", *paths, *options])


def steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "out" / "log.jsonl").read_text().splitlines()]


#: What the page on data says to write.
DATA_OF_ONES_OWN = re.search(
    r"## Shards.*?```json\n(.*?)```", (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8"), re.S
)[1]  # type: ignore[index]


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The one line of a refusal."""
    assert train(folder, *options) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("vjepa-mpc train: ")
    return error


def model_card(folder: Path) -> dict[str, str]:
    with safe_open(folder / "out" / "franka_tiny.safetensors", "pt") as file:
        return dict(file.metadata())


def test_data_of_other_settings_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_recipe(folder, data={**RECIPE["data"], "seed": 7})
    assert "data of other settings than the recipe's (seed 0, not 7)" in refused(folder, capsys)
    assert not list((folder / "out").iterdir())


def test_data_of_unknown_origin_are_refused_and_own_ones_told_in_the_card(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = folder / "data" / "data.json"
    origin.unlink()
    assert 'write there {"origin": "what they are"}' in refused(folder, capsys)
    origin.write_text(DATA_OF_ONES_OWN)
    assert train(folder) == 0
    assert model_card(folder)["training_data"] == "3 episodes of 5 frames, not simulated: our arm, May 2026"
    assert "simulator" not in model_card(folder)["supervision"]


def test_data_of_ones_own_are_not_filled_up_from_the_simulator(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "data" / "data.json").write_text('{"origin": "our arm, May 2026"}')
    write_recipe(folder, data={**RECIPE["data"], "episodes": 30})
    assert "lacks shard_00002 and holds 2 shards; the recipe asks for 1 to validate on and 10" in refused(
        folder, capsys
    )


@pytest.mark.parametrize(
    ("column", "factor", "unit"), [(0, 1000.0, "metres"), (3, 57.3, "radians"), (6, 80.0, "closedness")]
)
def test_poses_in_other_units_are_refused(
    folder: Path, column: int, factor: float, unit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "data" / "shard_00001" / "states.npy"
    states = np.load(file)
    states[..., column] *= factor
    np.save(file, states)
    said = refused(folder, capsys)
    assert str(file) in said and unit in said


def test_damaged_shards_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = folder / "data" / "shard_00001"
    os.truncate(shard / "images.npy", 100)
    assert f"{shard}/images.npy is missing or damaged" in refused(folder, capsys)
    np.save(shard / "images.npy", np.zeros((3, 5, 32, 32), np.uint8))
    assert "images.npy holds uint8 [3, 5, 32, 32]: expected uint8 [E, T, S, S, 3]" in refused(folder, capsys)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"batch": {"clips": "four"}}, "recipe.yaml: batch.clips='four': expected a value like 16"),
        ({"stages": [{"learning_rate": "fast"}]}, r"stages[0].learning_rate='fast': expected a value like 0.0008"),
        ({"stages": [{"learning_rate": float("nan")}]}, "learning_rate=nan"),
        ({"model": {**RECIPE["model"], "img_size": "big"}}, "model.img_size='big': expected a whole number above 0"),
        ({"threads": 99999}, "threads=99999: it must be at most 1024"),
        ({"seed": -1}, "recipe.yaml: seed=-1: it must lie in 0..4294967295"),
        (
            {"data": {**RECIPE["data"], "seed": 2**64}},
            "recipe.yaml: data.seed=18446744073709551616: it must lie in 0..",
        ),
    ],
)
def test_mistakes_in_a_recipe_name_file_setting_and_need(
    folder: Path, changes: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_recipe(folder, **changes)
    assert says in refused(folder, capsys)


def test_numbers_that_yaml_takes_for_texts_are_read(folder: Path) -> None:
    text = (folder / "recipe.yaml").read_text().replace("steps: 4", "steps: 2\n  learning_rate: 8e-4")
    (folder / "recipe.yaml").write_text(text)
    assert train(folder) == 0


def test_a_file_that_is_no_yaml_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "recipe.yaml").write_text("model: [")
    assert "recipe.yaml is no YAML" in refused(folder, capsys)


def test_threads_are_checked_before_anything_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        train(folder, "--threads", "99999")
    assert "--threads: 99999: give a whole number from 1 to 1024" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_finished_run_says_that_there_is_nothing_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder) == 0
    model = folder / "out" / "franka_tiny.safetensors"
    written = model.stat().st_mtime_ns
    capsys.readouterr()
    assert train(folder) == 0
    said = capsys.readouterr().out
    assert "nothing to do" in said and "wrote" not in said and model.stat().st_mtime_ns == written
    model.unlink()
    assert train(folder) == 0 and model.is_file()


def test_a_state_that_is_damaged_or_of_another_model_is_refused_and_the_model_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder) == 0
    model = (folder / "out" / "franka_tiny.safetensors").read_bytes()
    other = {**SIZES, "depth": 2}
    write_recipe(folder, model={**RECIPE["model"], "encoder": other})
    assert "training_state.pt is of another run (model was" in refused(folder, capsys)
    write_recipe(folder)
    os.truncate(folder / "out" / "training_state.pt", 1000)
    assert "training_state.pt is damaged" in refused(folder, capsys)
    os.truncate(folder / "out" / "training_state.pt", 0)
    assert "training_state.pt is damaged or no state of a training (it is empty)" in refused(folder, capsys)
    assert (folder / "out" / "franka_tiny.safetensors").read_bytes() == model
    assert train(folder, "--fresh") == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_an_interrupted_run_saves_and_says_how_to_go_on(
    folder: Path,
    number: signal.Signals,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken = Trainer.step

    def asked(self: Trainer) -> dict[str, float]:
        if self.step_number == 2:
            os.kill(os.getpid(), number)
        return taken(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", asked)
        assert train(folder) == status
    assert "interrupted after step 3 of 4, which is saved: the same command goes on" in capsys.readouterr().out
    assert train(folder) == 0 and steps(folder) == [1, 2, 3, 4]


def test_the_log_repeats_no_step_of_a_run_that_was_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Trainer.step

    def killed(self: Trainer) -> dict[str, float]:
        if self.step_number == 3:
            raise MemoryError
        return taken(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", killed)
        with pytest.raises(MemoryError):
            train(folder)
    assert steps(folder) == [1, 2, 3]
    assert train(folder) == 0 and steps(folder) == [1, 2, 3, 4]


def test_a_full_disk_leaves_what_was_good_and_nothing_half_written(folder: Path) -> None:
    """Files cannot grow beyond 200 kB: the model fits, the state does not."""
    paths = ("--config", str(folder / "recipe.yaml"), "--data", str(folder / "data"), "--out", str(folder / "out"))
    done = subprocess.run(
        [sys.executable, "-m", "vjepa_mpc", "train", *paths],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert (
        "training_state.pt could not be written ([Errno 27] File too large" in done.stderr
        and "make room" in done.stderr
    )
    assert sorted(file.name for file in (folder / "out").iterdir()) == ["franka_tiny.safetensors", "log.jsonl"]
