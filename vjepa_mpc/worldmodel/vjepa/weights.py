"""State dicts into networks: every weight that is needed, of the right shape, finite, and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

StateDict = Mapping[str, Tensor]

_Network = TypeVar("_Network", bound=nn.Module)
_NAMED = 4  # keys that a message lists


def with_weights(
    make: Callable[[], _Network],
    state: StateDict | None,
    name: str,
    device: torch.device | str,
    dtype: torch.dtype,
    unused: Sequence[str] = (),
    exact: Sequence[str] = (),
) -> _Network:
    """A network with weights of a state dict.

    Args:
        make: builds it.
        state: its weights; None leaves the random ones that it is built with.
        name: of the part, for messages.
        device: where it will live.
        dtype: of the weights.
        unused: beginnings of keys that may be missing, because the network never reads them; they become zeros.
        exact: beginnings of keys that stay float32 whatever ``dtype`` is.

    Raises:
        ValueError: a weight is missing, unknown, of another shape or not finite; the message names it.
    """
    if state is None:
        network = make().to(device, dtype)
        for key, weight in network.named_parameters():
            if key.startswith(tuple(exact)):
                weight.data = weight.data.float()
        return network
    with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
        network = make()
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    check_keys(name, shapes, state, unused)
    weights = {
        key: torch.as_tensor(state[key]).to(device, torch.float32 if key.startswith(tuple(exact)) else dtype)
        for key in shapes
        if key in state
    }
    check_finite(name, {key: weight for key, weight in weights.items() if not key.startswith(tuple(unused))}, state)
    for key in shapes.keys() - weights.keys():
        weights[key] = torch.zeros(shapes[key], device=device, dtype=dtype)
    network.load_state_dict(weights, assign=True)
    return network


def check_keys(name: str, expected: Mapping[str, Sequence[int]], state: StateDict, unused: Sequence[str] = ()) -> None:
    """Refuse a state dict that is not one of this architecture.

    Raises:
        ValueError: names what is missing, unknown or misshapen.
    """
    missing = [key for key in expected if key not in state and not key.startswith(tuple(unused))]
    unknown = [key for key in state if key not in expected]
    misshapen = [
        f"{key} is {list(state[key].shape)} instead of {list(shape)}"
        for key, shape in expected.items()
        if key in state and tuple(state[key].shape) != tuple(shape)
    ]
    whole = [f"{key} holds {_dtype(state[key])}" for key in expected if key in state and not _is_real(state[key])]
    if whole:
        raise ValueError(
            f"the {name} is quantised ({_listed(whole)}), and it is not known how: take the one in float32, float16 "
            "or bfloat16 that it was made from"
        )
    if missing or unknown or misshapen:
        details = "; ".join(
            f"{what}: {_listed(keys)}"
            for what, keys in (("missing", missing), ("unknown", unknown), ("wrong shape", misshapen))
            if keys
        )
        raise ValueError(f"these weights do not belong to this {name} architecture ({details}); check the config")


def check_finite(name: str, weights: StateDict, origin: StateDict) -> None:
    """Refuse weights with NaN or infinities, whether they were there or came by rounding.

    Args:
        name: of the part.
        weights: as they will be used or written.
        origin: the same before they were rounded.

    Raises:
        ValueError: names the weights.
    """
    bad = not_finite(weights)
    if not bad:
        return
    overflown = [key for key in bad if not not_finite({key: torch.as_tensor(origin[key])})]
    if len(overflown) < len(bad):
        broken = [key for key in bad if key not in overflown]
        raise ValueError(
            f"the {name} has weights that are NaN or infinite ({_listed(broken)}): such a model predicts nothing; its "
            "training diverged or the file is damaged: take an earlier checkpoint or copy it again"
        )
    largest = max(float(origin[key].abs().max()) for key in overflown)
    dtype = _dtype(weights[overflown[0]])
    raise ValueError(
        f"the {name} has weights that {dtype} cannot hold ({_listed(overflown)}, up to {largest:.3g}): use bfloat16 "
        "or float32"
    )


def not_finite(weights: StateDict) -> list[str]:
    """Keys of weights with NaN or infinities. One pass, and one wait for the device."""
    real = [(key, weight) for key, weight in weights.items() if weight.device.type != "meta" and weight.numel()]
    if not real:
        return []
    # Both ends of the range are NaN if any weight is.
    ends = torch.stack([torch.stack(torch.aminmax(weight)).float() for _, weight in real])
    finite = ends.isfinite().all(dim=-1).tolist()
    return [key for (key, _), good in zip(real, finite, strict=True) if not good]


def _is_real(weight: Tensor) -> bool:
    """Whether its numbers are meant as they are; those of less than two bytes come with scales."""
    return torch.as_tensor(weight).is_floating_point() and weight.dtype.itemsize > 1


def _dtype(weight: Tensor) -> str:
    return str(weight.dtype).removeprefix("torch.")


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_NAMED]) + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")
