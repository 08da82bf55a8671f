"""What an nnU-Net v1 model folder says about itself.

The folder is ``<trainer>__<plans>`` with ``plans.pkl`` and, in each fold, ``model_final_checkpoint.model`` (weights)
and ``model_final_checkpoint.model.pkl`` (the trainer's name and its plans). v1 keeps its plans as pickles, which are
read without running anything (restricted_pickle.py). torch is not imported here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.models.model_folder import LARGEST_LABEL_COUNT
from TotalSegmentatorEngine.models.restricted_pickle import read_values

WEIGHTS_NAME = "model_final_checkpoint.model"
_LARGEST_FEATURES = 320
"""Generic_UNet.MAX_NUM_FILTERS_3D of nnunet 1.7.1."""
_STAGE_COUNTS = range(2, 12)
_TRAINER = re.compile(
    r"nnUNetTrainerV2(_(ep\d+|\d+epochs|no_?mirror(ing)?|fp16|fp32|copy\d|DDP|DP|fullEvals|warmup|cycleAtEnd|noDA|DA\d"
    r"|insaneDA|independentScalePerAxis|noDeepSupervision|ForceBD|ForceSD|resample33|Loss|CE|CEGDL|Dice|DiceCE|noSmooth"
    r"|DiceTopK10|squared|MCC|TopK10|focalLoss|graduallyTransitionFromCEToDice|Adam|Ranger|SGD|ReduceOnPlateau|lr|lrs"
    r"|lr\d+en\d+|\d+en\d+|fixedSchedule2?|momentum\d+|reduceMomentumDuringTraining))*",
    re.IGNORECASE,
)
"""Trainers of nnunet 1.7.1 that differ from nnUNetTrainerV2 in how they train, and not in the network. Others may have
another activation or order of layers, which their weights would not show."""
_NO_MIRRORING = re.compile(r"no_?mirror", re.IGNORECASE)


@dataclass(frozen=True)
class V1Plans:
    """One configuration of plans.pkl, checked. Lengths and sizes are in the network's axes, after the transposition."""

    patch_size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    """Millimetres."""
    transpose_forward: tuple[int, int, int]
    pools: tuple[tuple[int, int, int], ...]
    """Stride from each stage to the next."""
    kernels: tuple[tuple[int, int, int], ...]
    """Of each stage's convolutions, 1 or 3 along an axis."""
    base_features: int
    convolutions: int
    """In each stage of the encoder but the last."""
    label_count: int
    """Without the background."""
    normalisation: str
    """v1's name: "CT", "nonCT" or "noNorm"."""
    intensities: dict[str, float]
    """By nnU-Net v2's names; empty where the normalisation needs none."""
    batch_size: int
    median_shape: tuple[float, float, float]

    @property
    def features(self) -> list[int]:
        """Of each stage, the first to the bottleneck."""
        return [min(self.base_features * 2**stage, _LARGEST_FEATURES) for stage in range(len(self.kernels))]

    @property
    def stacked_convolutions(self) -> int:
        """In the bottleneck and in each stage of the decoder: v1 makes them of two stacks, the second of one."""
        return max(self.convolutions - 1, 1) + 1


@dataclass(frozen=True)
class V1Folder:
    """A folder of nnU-Net v1 whose plans passed the checks."""

    path: Path
    trainer: str
    plans: V1Plans
    folds: dict[str, Path]
    """Weight files by the name of v2's fold folder."""

    @property
    def mirroring_axes(self) -> tuple[int, ...]:
        """Axes of the network that v1's predictor mirrors by default."""
        return () if _NO_MIRRORING.search(self.trainer) else (0, 1, 2)


def read_v1_folder(path: Path, configuration: str) -> V1Folder:
    """Raises SegmentationError: MODEL_FOLDER_MISSING, MODEL_DAMAGED, MODEL_UNSAFE, MODEL_NOT_3D,
    MODEL_CASCADE, MODEL_SEVERAL_CHANNELS, MODEL_TOO_MANY_LABELS, MODEL_UNSUPPORTED."""
    if not path.is_dir():
        raise SegmentationError("MODEL_FOLDER_MISSING", folder=path.name)
    if not (path / "plans.pkl").is_file():
        raise SegmentationError("MODEL_DAMAGED", detail="plans.pkl is missing")
    plans = _plans_of(read_values(path / "plans.pkl", "plans.pkl"), configuration, "plans.pkl")
    folds = _folds(path)
    trainers = {_trainer_of(weights, plans, configuration) for weights in folds.values()} - {None}
    if len(trainers) > 1:
        raise SegmentationError("MODEL_DAMAGED", detail="its folds were trained by different trainers")
    trainer = trainers.pop() if trainers else path.name.split("__")[0]
    if "cascade" in trainer.lower():
        raise SegmentationError("MODEL_CASCADE")
    if not _TRAINER.fullmatch(trainer):
        raise SegmentationError("MODEL_UNSUPPORTED", detail=f"trainer {trainer:.60}")
    return V1Folder(path, trainer, plans, folds)


def _folds(path: Path) -> dict[str, Path]:
    """v1 calls the fold of all cases "all"; its predictor takes it only when asked to, v2's where it is alone."""
    numbered = [fold for fold in path.glob("fold_*") if fold.is_dir() and fold.name[5:].isdigit()]
    folds = {fold.name: fold for fold in sorted(numbered, key=lambda fold: int(fold.name[5:]))}
    if not folds and (path / "all").is_dir():
        folds = {"fold_all": path / "all"}
    if not folds:
        raise SegmentationError("MODEL_DAMAGED", detail="it has no folds")
    for name, fold in folds.items():
        if not (fold / WEIGHTS_NAME).is_file():
            raise SegmentationError("MODEL_DAMAGED", detail=f"{name} has no {WEIGHTS_NAME}")
    return {name: fold / WEIGHTS_NAME for name, fold in folds.items()}


def _trainer_of(weights: Path, plans: V1Plans, configuration: str) -> str | None:
    """The trainer's name beside the weights. The plans there, which v1's predictor takes, must equal plans.pkl."""
    path = weights.with_name(f"{WEIGHTS_NAME}.pkl")
    if not path.is_file():
        return None
    content = read_values(path, path.name)
    if not isinstance(content, Mapping) or not isinstance(content.get("name"), str):
        raise SegmentationError("MODEL_DAMAGED", detail=f"{path.name} does not name a trainer")
    if "plans" in content and _plans_of(content["plans"], configuration, path.name) != plans:
        raise SegmentationError("MODEL_DAMAGED", detail=f"plans.pkl and {path.name} contain different plans")
    return content["name"]


# -- plans.pkl ---------------------------------------------------------------------------------------------------------


def _plans_of(content: Any, configuration: str, file: str) -> V1Plans:
    try:
        return _translated(content, configuration)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail=f"{file} is malformed ({error!s:.60})") from error


def _translated(content: Mapping[str, Any], configuration: str) -> V1Plans:
    stage = _stage(content["plans_per_stage"], configuration)
    if len(stage["patch_size"]) != 3:
        raise SegmentationError("MODEL_NOT_3D", configuration=configuration)
    if int(content["num_modalities"]) != 1:
        raise SegmentationError("MODEL_SEVERAL_CHANNELS", channels=int(content["num_modalities"]))
    label_count = int(content["num_classes"])
    if label_count > LARGEST_LABEL_COUNT:
        raise SegmentationError("MODEL_TOO_MANY_LABELS", labels=label_count)
    if content.get("preprocessor_name") not in (None, "GenericPreprocessor"):
        raise SegmentationError("MODEL_UNSUPPORTED", detail=f"preprocessor {content['preprocessor_name']!s:.60}")
    pools, kernels = _topology(stage)
    normalisation = _normalisation(content)
    median_shape = stage.get("median_patient_size_in_voxels", stage["patch_size"])
    plans = V1Plans(
        patch_size=_three(int, stage["patch_size"]),
        spacing=_three(float, stage["current_spacing"]),
        transpose_forward=_three(int, _or(content.get("transpose_forward"), (0, 1, 2))),
        pools=pools,
        kernels=kernels,
        base_features=int(content["base_num_features"]),
        convolutions=int(content.get("conv_per_stage", 2)),
        label_count=label_count,
        normalisation=normalisation,
        intensities=_intensities(content) if normalisation == "CT" else {},
        batch_size=int(stage.get("batch_size", 2)),
        median_shape=_three(float, median_shape),
    )
    _check(plans)
    return plans


def _stage(stages: Mapping[int, Any], configuration: str) -> Mapping[str, Any]:
    """The settings that v1 trains a configuration with: the last stage is the full resolution."""
    numbers = sorted(stages)
    if "cascade" in configuration:
        raise SegmentationError("MODEL_CASCADE")
    if configuration not in ("3d_fullres", "3d_lowres"):
        raise SegmentationError("MODEL_NOT_3D", configuration=configuration)
    if configuration == "3d_lowres" and len(numbers) < 2:
        raise ValueError("it has no low resolution")
    return stages[numbers[0 if configuration == "3d_lowres" else -1]]


def _topology(stage: Mapping[str, Any]) -> tuple[tuple[tuple[int, int, int], ...], tuple[tuple[int, int, int], ...]]:
    """Pools and kernels; plans of v1's first versions state only how often each axis is halved."""
    if "pool_op_kernel_sizes" in stage:
        pools = [_three(int, pool) for pool in stage["pool_op_kernel_sizes"]]
    else:
        counts = _three(int, stage["num_pool_per_axis"])
        steps = range(max(counts)) if max(counts) in _STAGE_COUNTS else ()
        pools = [tuple(2 if max(counts) - count <= step else 1 for count in counts) for step in steps]
    kernels = [(3, 3, 3)] * (len(pools) + 1)
    if "conv_kernel_sizes" in stage:
        kernels = [_three(int, kernel) for kernel in stage["conv_kernel_sizes"]]
    return tuple(pools), tuple(kernels)


def _normalisation(content: Mapping[str, Any]) -> str:
    scheme, is_masked = content["normalization_schemes"][0], bool(content["use_mask_for_norm"][0])
    if scheme == "CT2":
        raise SegmentationError("MODEL_UNSUPPORTED", detail="normalisation CT2")
    if is_masked:
        raise SegmentationError("MODEL_UNSUPPORTED", detail="normalisation within a mask")
    return scheme if scheme in ("CT", "noNorm") else "nonCT"


def _intensities(content: Mapping[str, Any]) -> dict[str, float]:
    known = content["dataset_properties"]["intensityproperties"][0]
    names = {"mean": "mean", "std": "sd", "percentile_00_5": "percentile_00_5", "percentile_99_5": "percentile_99_5"}
    values = {name: float(known[own]) for name, own in names.items()}
    for name, own in (("min", "mn"), ("max", "mx"), ("median", "median")):
        if own in known:
            values[name] = float(known[own])
    return values


def _check(plans: V1Plans) -> None:
    """Raises ValueError for numbers that describe no network, MODEL_UNSUPPORTED for kernels that v1 pads otherwise."""
    numbers = [*plans.spacing, *plans.median_shape, *plans.intensities.values()]
    if not all(np.isfinite(numbers)) or not min(plans.spacing) > 0:
        raise ValueError("spacing or intensities")
    if sorted(plans.transpose_forward) != [0, 1, 2]:
        raise ValueError("transpose_forward")
    if plans.intensities and not (
        plans.intensities["std"] > 0 and plans.intensities["percentile_00_5"] < plans.intensities["percentile_99_5"]
    ):
        raise ValueError("intensityproperties")
    if len(plans.kernels) not in _STAGE_COUNTS or len(plans.kernels) != len(plans.pools) + 1:
        raise ValueError("stages")
    if not 1 <= plans.base_features <= _LARGEST_FEATURES or not 1 <= plans.convolutions <= 10:
        raise ValueError("features or convolutions")
    if plans.label_count < 1:
        raise ValueError("num_classes")
    divisors = np.prod(plans.pools, axis=0)
    if any(not 1 <= size <= 1024 or size % divisor for size, divisor in zip(plans.patch_size, divisors, strict=True)):
        raise ValueError("patch_size")
    if any(stride not in (1, 2) for pool in plans.pools for stride in pool):
        raise SegmentationError("MODEL_UNSUPPORTED", detail="a stride other than 1 or 2")
    if any(length not in (1, 3) for kernel in plans.kernels for length in kernel):
        raise SegmentationError("MODEL_UNSUPPORTED", detail="a kernel other than 1 or 3")


def _three(kind: type, values: Sequence[Any]) -> tuple:
    first, second, third = values
    return kind(first), kind(second), kind(third)


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value
