"""World models: the interface, and V-JEPA 2 encoder and V-JEPA 2-AC predictor, exact to the published weights."""

from vjepa_mpc.worldmodel.checkpoint import (
    bundled_model_path,
    load_encoder,
    load_world_model,
    save_encoder,
    save_world_model,
)
from vjepa_mpc.worldmodel.checkpoints.errors import CheckpointError
from vjepa_mpc.worldmodel.checkpoints.told import Told
from vjepa_mpc.worldmodel.interface import Rollout, WorldModel, check_world_model
from vjepa_mpc.worldmodel.point_mass import PointMassWorldModel
from vjepa_mpc.worldmodel.preprocess import Crop, preprocess, preprocess_batch
from vjepa_mpc.worldmodel.speed import compile_rollouts
from vjepa_mpc.worldmodel.speed.precision import resolve_dtype
from vjepa_mpc.worldmodel.speed.quantised import QUANTISATIONS, UnsupportedPrecisionError, quantise
from vjepa_mpc.worldmodel.speed.tuning import MOST_THREADS, choose_device, tune_process
from vjepa_mpc.worldmodel.trial import try_world_model
from vjepa_mpc.worldmodel.vjepa.config import (
    MODEL_CONFIGS,
    EncoderConfig,
    EncoderSetup,
    ModelConfig,
    PredictorConfig,
)
from vjepa_mpc.worldmodel.vjepa.encoder import Encoder, VideoEncoder
from vjepa_mpc.worldmodel.vjepa.frames import FrameEncoder, build_encoder
from vjepa_mpc.worldmodel.vjepa.predictor import Predictor
from vjepa_mpc.worldmodel.vjepa.world_model import VJEPAWorldModel, build_world_model

__all__ = [
    "MODEL_CONFIGS",
    "MOST_THREADS",
    "QUANTISATIONS",
    "CheckpointError",
    "Crop",
    "Encoder",
    "EncoderConfig",
    "EncoderSetup",
    "FrameEncoder",
    "ModelConfig",
    "PointMassWorldModel",
    "Predictor",
    "PredictorConfig",
    "Rollout",
    "Told",
    "UnsupportedPrecisionError",
    "VJEPAWorldModel",
    "VideoEncoder",
    "WorldModel",
    "build_encoder",
    "build_world_model",
    "bundled_model_path",
    "check_world_model",
    "choose_device",
    "compile_rollouts",
    "load_encoder",
    "load_world_model",
    "preprocess",
    "preprocess_batch",
    "quantise",
    "resolve_dtype",
    "save_encoder",
    "save_world_model",
    "try_world_model",
    "tune_process",
]
