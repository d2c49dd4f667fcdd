"""Recordings of robots as episodes of pictures and states, whatever format they were recorded in.

::

    for episode in open_dataset("recordings", mapping="my_robot.yaml"):
        stamps, images, states = episode.sample(seconds=0.25)
"""

from vjepa_mpc.data.dataset import Dataset, Skipped, open_dataset
from vjepa_mpc.data.episode import Episode
from vjepa_mpc.data.errors import DataError, DataWarning
from vjepa_mpc.data.mapping import DataMapping, read_mapping

__all__ = [
    "DataError",
    "DataMapping",
    "DataWarning",
    "Dataset",
    "Episode",
    "Skipped",
    "open_dataset",
    "read_mapping",
]
