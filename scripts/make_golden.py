"""Makes test/data/golden_small.npz: a tiny model, and what the published code computes with it.

Needs the packaged original: ``pip install --no-deps cc-vjepa2 einops``. The file has the format of the reference data
(``../shared/golden/ac_tiny_*.npz``), so the same tests read both; ``--check FILE`` computes one of those anew and says
how far the results are from what it holds.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from published import next_poses, published_encoder, published_plan, published_predictor  # noqa: E402

from vjepa_mpc.arguments import local_path  # noqa: E402
from vjepa_mpc.planning import CEMConfig  # noqa: E402
from vjepa_mpc.worldmodel import ModelConfig, VJEPAWorldModel, build_world_model, preprocess_batch  # noqa: E402

CONFIG: dict[str, Any] = {
    "img_size": 32,
    "patch_size": 8,
    "tubelet_size": 2,
    "encoder": {"embed_dim": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 4.0},
    "predictor": {"embed_dim": 32, "predictor_embed_dim": 24, "depth": 2, "num_heads": 2, "mlp_ratio": 4.0},
    "cem": {
        "rollout": 2,
        "samples": 16,
        "topk": 4,
        "cem_steps": 3,
        "momentum_mean": 0.15,
        "momentum_std": 0.25,
        "momentum_mean_gripper": 0.2,
        "momentum_std_gripper": 0.3,
        "maxnorm": 0.05,
        "verbose": False,
    },
}
_STEPS = 3
_GRIPPER_DEAD_ZONE = 0.25  # what is less becomes 0 in the published planner's result


def main() -> int:
    """Write the file, or check another one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=local_path, default=ROOT / "test/data/golden_small.npz")
    parser.add_argument("--check", type=local_path, help="compute this file's results anew instead")
    args = parser.parse_args()
    if args.check is not None:
        check(args.check)
        return 0
    arrays = inputs(CONFIG)
    results = compute(CONFIG, arrays)
    np.savez_compressed(args.out, config=json.dumps(CONFIG), **arrays, **results)
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB")
    return 0


def check(path: Path) -> None:
    """Print the relative errors between what a file holds and what the original gives here."""
    with np.load(path) as archive:
        config, arrays = json.loads(str(archive["config"])), {key: archive[key] for key in archive.files}
    unlike = {"cem_action"} if config["cem"].keys() & {"axis", "close_gripper"} else set()  # not in `published_plan`
    for name, found in compute(config, arrays).items():
        if name in arrays and name not in unlike:
            print(f"{name}: {np.linalg.norm(found - arrays[name]) / np.linalg.norm(arrays[name]):.1e}")


def inputs(config: dict[str, Any]) -> dict[str, np.ndarray]:
    """Weights and inputs drawn at random, all of them numbers that half precision holds exactly."""
    draw = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_world_model(config)
    weights = {
        f"{part}/{key}": _half(value + 0.1 * torch.randn(value.shape, generator=draw))
        for part, network in (("encoder", model.encoder), ("predictor", model.predictor))
        for key, value in network.state_dict().items()
    }
    size, cem = config["img_size"], config["cem"]
    scale = torch.tensor([0.05, 0.05, 0.05, 0.1, 0.1, 0.1, 0.3])
    pose = torch.tensor([0.5, 0.0, 0.3, 3.0, 0.1, -0.2, 0.5])
    tokens = model.tokens_per_frame
    return {
        **weights,
        "images": torch.randint(0, 256, (2, size, size, 3), generator=draw).to(torch.uint8).numpy(),
        "clip": _half(torch.randn(1, 3, 4, size, size, generator=draw)),
        "x": _half(torch.randn(2, _STEPS * tokens, model.embed_dim, generator=draw)),
        "actions": _half(scale * torch.randn(2, _STEPS, 7, generator=draw)),
        "states": _half(pose + scale * torch.randn(2, _STEPS, 7, generator=draw)),
        "cem_pose": _half(pose[None, None]),
        "cem_noise": _half(torch.randn(cem["cem_steps"], cem["rollout"], cem["samples"], 4, generator=draw)),
        "poses": _half(pose + 3.0 * scale * torch.randn(16, 7, generator=draw)).astype(np.float64),
        "pose_actions": _half(scale * torch.randn(16, 7, generator=draw)).astype(np.float64),
    }


def _half(values: Tensor) -> np.ndarray:
    return values.numpy().astype(np.float16)


@torch.no_grad()
def compute(config: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the original makes of the inputs."""
    model = _model(config, arrays)
    settings, tokens = model.config, model.tokens_per_frame
    given = {key: torch.from_numpy(arrays[key]).float() for key in ("clip", "x", "actions", "states", "cem_noise")}
    pixels = preprocess_batch(arrays["images"], model.image_size)
    doubled = pixels[:, :, None].repeat(1, 1, model.config.tubelet_size, 1, 1)
    reps = F.layer_norm(published_encoder(model.encoder, settings, frames=2)(doubled), (model.embed_dim,))
    found = {"video_tokens": published_encoder(model.encoder, settings, frames=4)(given["clip"]), "reps": reps}
    for steps in range(1, _STEPS + 1):
        original: nn.Module = published_predictor(model.predictor, settings, steps)
        found[f"predictor_T{steps}"] = original(
            given["x"][:, : steps * tokens], given["actions"][:, :steps], given["states"][:, :steps]
        )
    cem = CEMConfig(**config["cem"])
    pose = torch.from_numpy(arrays["cem_pose"][0]).float()
    planner = published_predictor(model.predictor, settings, cem.rollout)
    planned = published_plan(planner, reps[0], pose, reps[1], cem, given["cem_noise"])
    planned[:, 3][planned[:, 3].abs() < _GRIPPER_DEAD_ZONE] = 0.0
    found["cem_action"] = torch.zeros(cem.rollout, 7).index_copy(1, torch.tensor([0, 1, 2, 6]), planned)
    results = {key: value.numpy() for key, value in found.items()}
    return results | (_moved(arrays) if "pose_actions" in arrays else {})


def _moved(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Poses integrated and compared by SciPy, one by one, as in the published code."""
    poses, actions = arrays["poses"], arrays["pose_actions"]
    moved = next_poses(torch.from_numpy(poses), torch.from_numpy(actions)).numpy()
    turns = [
        (Rotation.from_euler("xyz", after) * Rotation.from_euler("xyz", before).inv()).as_euler("xyz")
        for before, after in zip(poses[:-1, 3:6], poses[1:, 3:6], strict=True)
    ]
    change = poses[1:] - poses[:-1]
    return {"new_poses": moved, "diffs": np.concatenate([change[:, :3], turns, change[:, 6:]], axis=1)}


def _model(config: dict[str, Any], arrays: dict[str, np.ndarray]) -> VJEPAWorldModel:
    states = [
        {
            key.removeprefix(part): torch.from_numpy(value).float()
            for key, value in arrays.items()
            if key.startswith(part)
        }
        for part in ("encoder/", "predictor/")
    ]
    return build_world_model(ModelConfig.from_dict(config), *states)


if __name__ == "__main__":
    sys.exit(main())
