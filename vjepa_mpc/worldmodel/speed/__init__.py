"""What makes a world model faster, from outside the model: precision, compiled steps, eight bits, process settings."""

from __future__ import annotations

from vjepa_mpc.worldmodel.vjepa.world_model import VJEPAWorldModel


def compile_rollouts(model: VJEPAWorldModel) -> None:
    """Compile the steps of all rollouts that the model starts from now on; worth it on GPUs.

    See :class:`~vjepa_mpc.worldmodel.speed.compiled.CompiledStep` for what is compiled, and when again.
    """
    from vjepa_mpc.worldmodel.speed.compiled import CompiledStep  # PyTorch's compiler takes seconds to import

    model.wrap_rollout = CompiledStep().wrap
