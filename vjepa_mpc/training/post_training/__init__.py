"""Post-training: an action-conditioned predictor from recordings of one's own arm, on a frozen encoder (ROS-free).

:class:`PostTrainer` is the published recipe as a loop body; ``vjepa-mpc post-train`` (:mod:`.command`) is the whole
road from a folder of recordings to a model file. Source of the recipe: upstream ``app/vjepa_droid/train.py`` and
``src/utils/schedulers.py``.
"""

from vjepa_mpc.training.post_training.config import PostTrainingConfig, PostTrainingError
from vjepa_mpc.training.post_training.trainer import PostTrainer

__all__ = ["PostTrainer", "PostTrainingConfig", "PostTrainingError"]
