"""What the world model's eyes say of goal pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vjepa_mpc.controller.sight import Sight


class Brightness:
    """Sees how bright a picture is."""

    def encode(self, images, crop="square"):
        return torch.as_tensor(np.asarray(images)).float().mean(dim=(1, 2, 3))[:, None, None] / 255.0


@pytest.mark.parametrize(("brightness", "warned"), [(0.4, False), (0.25, False), (0.8, True)])
def test_a_picture_farther_from_the_camera_s_than_grey_is_named_with_figures(caplog, brightness, warned):
    seen = torch.full((1, 1), 0.3)
    Sight(Brightness(), "square").compare(seen, [seen, torch.full((1, 1), brightness)], 7)
    assert bool(caplog.messages) == warned
    if warned:
        (message,) = caplog.messages
        assert message.startswith("goal 7: picture 1 is 0.5 away") and "a grey picture only 0.202" in message
