"""Compiled rollout steps give what plain ones give; what is compiled is said; plain ones serve when compiling fails."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from support.golden import relative_error
from vjepa_mpc.worldmodel import ModelConfig, VJEPAWorldModel, build_world_model, compile_rollouts
from vjepa_mpc.worldmodel.speed.compiled import CompiledStep
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features

CONFIG = ModelConfig.from_dict(
    {
        "img_size": 32,
        "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 2},
        "predictor": {"embed_dim": 24, "predictor_embed_dim": 24, "depth": 2, "num_heads": 2},
    }
)


class CountingBackend:
    """Runs what it is given as it is, and counts how often it is asked to compile."""

    def __init__(self) -> None:
        self.compiled = 0

    def __call__(self, graph: fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        self.compiled += 1
        return graph.forward


@pytest.fixture(scope="module")
def model() -> VJEPAWorldModel:
    return build_world_model(CONFIG)


@pytest.fixture(autouse=True)
def nothing_compiled() -> Iterator[None]:
    yield
    torch._dynamo.reset()


@torch.no_grad()
def predictions(
    model: VJEPAWorldModel,
    candidates: int,
    horizon: int = 1,
    step: CompiledStep | None = None,
    *,
    room: int = 0,
    frames: int = 1,
) -> list[Tensor]:
    """Latents of every step, by a compiled step if one is given; ``room``: for more candidates than come."""
    random = torch.Generator().manual_seed(0)
    context = layer_norm_features(torch.randn(frames, 4, 24, generator=random))
    actions = 0.05 * torch.randn(horizon, candidates, 7, generator=random)
    rollout: Any = model.start_rollout(
        context, torch.zeros(frames, 7), room or candidates, horizon, torch.zeros(frames - 1, 7)
    )
    rollout = rollout if step is None else step.wrap(rollout)
    return [rollout.step(action) for action in actions]


def assert_close(found: list[Tensor], expected: list[Tensor]) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert relative_error(mine, theirs) < 1e-5


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """What this package logged; PyTorch's compiler has much to say, too."""
    return [(record.levelname, record.message) for record in caplog.records if record.name.startswith("vjepa_mpc")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiled_steps_equal_plain_ones(model: VJEPAWorldModel) -> None:
    expected, compiled = predictions(model, 5, 2), build_world_model(CONFIG)
    compiled.predictor.load_state_dict(model.predictor.state_dict())
    compile_rollouts(compiled)
    for _ in range(2):
        assert_close(predictions(compiled, 5, 2), expected)


def test_repeated_plans_neither_compile_nor_say_so(model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture) -> None:
    backend = CountingBackend()
    step = CompiledStep(backend)
    with caplog.at_level(logging.INFO, "vjepa_mpc"):
        for _ in range(3):
            found = predictions(model, 5, 2, step)
    assert_close(found, predictions(model, 5, 2))
    assert backend.compiled == 2  # the first step of the horizon, and the second one
    assert said(caplog) == [
        (
            "INFO",
            "compiling rollout steps for candidates=5, micro_batch=5, rollout=2, context_frames=1: "
            "planning waits for it, which can take minutes",
        )
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"candidates": 4}, "candidates=4 instead of 5, micro_batch=4 instead of 5"),
        ({"candidates": 1, "room": 5}, "candidates=1 instead of 5"),
        ({"horizon": 2}, "rollout=2 instead of 1"),
        ({"frames": 2}, "context_frames=2 instead of 1"),
    ],
    ids=["micro-batch", "a single one", "horizon", "frames"],
)
def test_a_change_that_compiles_again_is_warned_of_by_name(
    model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture, change: dict[str, int], says: str
) -> None:
    backend, usual = CountingBackend(), {"candidates": 5}
    step = CompiledStep(backend)
    predictions(model, step=step, **usual)
    before = backend.compiled
    with caplog.at_level(logging.INFO, "vjepa_mpc"):
        for sizes in (usual, usual | change, usual, usual | change):
            predictions(model, step=step, **sizes)
    assert backend.compiled > before
    text = f"compiling rollout steps again for {says}: planning waits for it, which can take minutes"
    assert said(caplog) == [("WARNING", text)]


def test_incomplete_micro_batches_need_no_compilation(model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture) -> None:
    backend = CountingBackend()
    step = CompiledStep(backend)
    predictions(model, 5, 2, step)
    with caplog.at_level(logging.INFO, "vjepa_mpc"):
        for candidates in (4, 3, 2, 5):
            assert_close(predictions(model, candidates, 2, step, room=5), predictions(model, candidates, 2))
    assert (backend.compiled, said(caplog)) == (2, [])


@pytest.mark.slow
def test_more_sizes_than_pytorch_keeps_by_itself_stay_compiled(model: VJEPAWorldModel) -> None:
    backend = CountingBackend()
    step, many = CompiledStep(backend), torch._dynamo.config.recompile_limit + 2
    for _ in range(2):
        for candidates in range(2, 2 + many):
            assert_close(predictions(model, candidates, step=step), predictions(model, candidates))
    assert backend.compiled == many


@pytest.mark.parametrize("working", [0, 1])
def test_when_compiling_fails_planning_goes_on_uncompiled(
    model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture, working: int
) -> None:
    class FailingBackend(CountingBackend):
        def __call__(self, graph: fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
            if self.compiled == working:
                raise OSError("no Triton here\nand a long trace")
            return super().__call__(graph, inputs)

    step, expected = CompiledStep(FailingBackend()), predictions(model, 3, 3)
    with caplog.at_level(logging.INFO, "vjepa_mpc"):
        for _ in range(2):
            assert_close(predictions(model, 3, 3, step, room=4), expected)
    assert caplog.text.count("torch.compile failed (no Triton here): planning goes on uncompiled") == 1


@pytest.mark.slow
def test_without_a_working_cpp_compiler_planning_goes_on_uncompiled(
    model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture
) -> None:
    from torch._inductor import config as inductor

    step, expected = CompiledStep(), predictions(model, 5)
    with inductor.patch({"cpp.cxx": ("/nowhere/c++",), "force_disable_caches": True}):
        assert all(map(torch.equal, predictions(model, 5, step=step), expected))
    assert "torch.compile failed (" in caplog.text and "planning goes on uncompiled" in caplog.text


def test_what_dynamo_cannot_compile_is_not_run_in_parts_without_a_word(
    model: VJEPAWorldModel, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def uncompilable(tensor: Tensor) -> Tensor:
        torch._dynamo.graph_break()
        return layer_norm_features(tensor)

    expected = predictions(model, 5)
    monkeypatch.setattr("vjepa_mpc.worldmodel.vjepa.rollout.layer_norm_features", uncompilable)
    assert all(map(torch.equal, predictions(model, 5, step=CompiledStep(CountingBackend())), expected))
    assert "planning goes on uncompiled" in caplog.text
