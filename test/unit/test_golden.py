"""Our numbers against the published code's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from support.golden import SMALL, GoldenModel, golden_model, reference, relative_error
from vjepa_mpc.geometry.pose import integrate_pose, pose_difference
from vjepa_mpc.planning import CEMConfig, CEMPlanner
from vjepa_mpc.worldmodel.preprocess import preprocess

TOLERANCE = 1e-4


@pytest.fixture(params=["small", "ac_tiny_a", "ac_tiny_b"])
def golden(request: pytest.FixtureRequest) -> GoldenModel:
    return golden_model(request.param)


def test_encoder_gives_the_published_video_tokens(golden: GoldenModel) -> None:
    tokens = golden.world_model().encoder(golden["clip"])
    assert relative_error(tokens, golden["video_tokens"]) < TOLERANCE


def test_encoding_images_gives_the_published_representations(golden: GoldenModel) -> None:
    latents = golden.world_model().encode(golden["images"].numpy())
    assert relative_error(latents, golden["reps"]) < TOLERANCE


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_predictor_gives_the_published_tokens(golden: GoldenModel, steps: int) -> None:
    model = golden.world_model()
    tokens = steps * model.tokens_per_frame
    predicted = model.predictor(golden["x"][:, :tokens], golden["actions"][:, :steps], golden["states"][:, :steps])
    assert relative_error(predicted, golden[f"predictor_T{steps}"]) < TOLERANCE


@pytest.mark.parametrize("memory_limit_mb", [None, 0.3])
def test_planner_finds_the_published_action(golden: GoldenModel, memory_limit_mb: float | None) -> None:
    config = CEMConfig(**golden.config["cem"], memory_limit_mb=memory_limit_mb)
    plan = CEMPlanner(golden.world_model(), config).plan(
        context=golden["reps"][0], pose=golden["cem_pose"][0, 0], goal=golden["reps"][1], noise=golden["cem_noise"]
    )
    assert (plan.actions - golden["cem_action"]).abs().max() < TOLERANCE


def test_poses_integrate_and_differ_as_scipy_computes_them() -> None:
    small = golden_model("small")
    assert (integrate_pose(small["poses"], small["pose_actions"]) - small["new_poses"]).abs().max() < 1e-6
    assert (pose_difference(small["poses"][:-1], small["poses"][1:]) - small["diffs"]).abs().max() < 1e-6


def test_the_small_reference_stays_small() -> None:
    assert SMALL.stat().st_size < 200_000


def test_poses_integrate_and_differ_as_published() -> None:
    with np.load(reference("golden/poses.npz")) as archive:
        poses = {key: torch.from_numpy(archive[key]) for key in archive.files}
    assert (integrate_pose(poses["poses"], poses["actions"]) - poses["new_poses"]).abs().max() < 1e-6
    assert (pose_difference(poses["poses"], poses["next_poses"]) - poses["diffs"]).abs().max() < 1e-6


@pytest.mark.parametrize("size", ["180x320", "256x256"])
@pytest.mark.parametrize("crop", ["square", "droid"])
def test_preprocessing_gives_the_published_pixels(size: str, crop: str) -> None:
    with np.load(reference("golden/preprocess.npz")) as archive:
        image, expected = archive[f"image_{size}"], torch.from_numpy(archive[f"{crop}_{size}"])
    pixels = preprocess(image, size=256, crop=crop)
    half_precision = torch.finfo(torch.float16).eps * expected.float().abs().clamp(min=1.0)
    assert ((pixels - expected.float()).abs() <= half_precision).all()


def test_real_franka_frames_encode_and_their_action_is_the_recorded_one() -> None:
    with np.load(reference("data/franka_example_traj.npz")) as archive:
        frames, states = archive["observations"][0], torch.from_numpy(archive["states"][0])
    latents = golden_model("ac_tiny_a").world_model().encode(frames)
    assert latents.shape[0] == 2 and torch.isfinite(latents).all()
    assert latents.mean(-1).abs().max() < 1e-4, "latents are layer-normed over their features"
    action = pose_difference(states[0], states[1])
    assert torch.allclose(action[:3].double(), torch.tensor([0.09, 0.03, 0.08]).double(), atol=0.01)
