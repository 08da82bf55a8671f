"""Reads and validates an nnU-Net v2 model folder from its JSON files alone.

Nothing of a folder is trusted: plans name Python classes and functions by strings, so every such string must stand in
one of the lists below before nnunetv2 sees the plans. torch is not imported here.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.model_json import read_model_json
from TotalSegmentatorWire.tables.voxel_orders import CANONICAL, CANONICAL_READERS, VOXEL_ORDER_KEY, voxel_order

CHECKPOINT_NAME = "checkpoint_final.pth"
LARGEST_LABEL_COUNT = 255
"""Labels of a result are uint8, 0 is background."""

NETWORK_CLASSES = frozenset(
    [
        "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet",
        # the path in nnU-Net's translation of old plans; get_network_from_plans finds the present one
        "dynamic_network_architectures.architectures.residual_unet.ResidualEncoderUNet",
    ]
)
_OLD_NETWORK_CLASSES = frozenset(["PlainConvUNet", "ResidualEncoderUNet"])
_ACTIVATIONS = ("LeakyReLU", "ReLU")
_TORCH_CLASSES = {
    "conv_op": frozenset(["torch.nn.modules.conv.Conv3d"]),
    "norm_op": frozenset(
        ["torch.nn.modules.instancenorm.InstanceNorm3d", "torch.nn.modules.batchnorm.BatchNorm3d", None]
    ),
    "dropout_op": frozenset(["torch.nn.modules.dropout.Dropout3d", None]),
    "nonlin": frozenset(f"torch.nn.{place}{name}" for place in ("", "modules.activation.") for name in _ACTIVATIONS),
}
"""Classes that nnU-Net's planners write, by the argument that names them."""
_NETWORK_ARGUMENTS = frozenset(
    [
        *("n_stages", "features_per_stage", "kernel_sizes", "strides", "n_conv_per_stage", "n_blocks_per_stage"),
        *("n_conv_per_stage_decoder", "conv_op", "conv_bias", "norm_op", "norm_op_kwargs", "dropout_op"),
        *("dropout_op_kwargs", "nonlin", "nonlin_kwargs", "nonlin_first", "deep_supervision", "stem_channels"),
        "bottleneck_channels",
    ]
)
NORMALISATIONS = frozenset(
    ["CTNormalization", "ZScoreNormalization", "NoNormalization", "RescaleTo01Normalization"],
)
RESAMPLING_FUNCTIONS = frozenset(
    ["resample_data_or_seg_to_shape", "resample_torch_fornnunet", "no_resampling_hack"],
)
_RESAMPLING_ARGUMENTS = frozenset(
    [
        *("is_seg", "order", "order_z", "force_separate_z", "separate_z_anisotropy_threshold"),
        *("memefficient_seg_resampling", "aniso_axis_mode"),
    ]
)
_PLAIN_READERS = frozenset(["SimpleITKIO", "NibabelIO"])

FileStamp = tuple[str, int, int]
"""A file's path, time of change in ns and size in bytes."""
FileStamps = tuple[FileStamp, ...]


@dataclass(frozen=True)
class ModelFolder:
    """A folder ``<trainer>__<plans>__<configuration>`` that passed every check that JSON allows."""

    path: Path
    dataset: str
    """The dataset's name as the plans have it."""
    configuration: str
    plans: dict[str, Any]
    """plans.json as it is."""
    settings: dict[str, Any]
    """The configuration's own settings with what it inherits."""
    dataset_json: dict[str, Any]
    labels: dict[str, int]
    """Foreground names to numbers 1..n without a gap."""
    checkpoints: list[Path]
    """One weight file a fold."""
    patch_size: tuple[int, int, int]
    """Voxels, in the network's axes (after transpose_forward)."""
    spacing: tuple[float, float, float]
    """Millimetres, in the network's axes (after transpose_forward)."""
    transpose_forward: tuple[int, int, int]
    """Axis of the image (slices, rows, columns) that becomes the network's first, second, third axis."""
    voxel_order: str | None
    """The order in which the network gets the voxels: "RAS" where the folder's image reader turns every image so; for
    the readers that do not, an orientation or AS_IN_FILE as it was stored with the model, None where nobody said."""
    resample_to: tuple[float, float, float] | None = None
    """mm along slices, rows, columns: what the CT is resampled to before nnU-Net resamples to its own spacing, if that
    is another one. None: straight to the network's own. The catalogue says it, not the folder."""
    mirrors: bool = True
    """Predictions for mirror images are averaged where the weight file allows them."""

    @property
    def is_demo(self) -> bool:
        """Whether the folder declares itself as this project's demo model."""
        return self.dataset_json.get("totalsegmentator_module_demo") is True

    @property
    def transpose_backward(self) -> tuple[int, int, int]:
        return tuple(self.transpose_forward.index(axis) for axis in range(3))

    @property
    def image_spacing(self) -> tuple[float, float, float]:
        """mm along the image's axes (slices, rows, columns) to which the CT is resampled."""
        return self.resample_to or self._own_spacing

    @property
    def is_resampled_twice(self) -> bool:
        """Whether nnU-Net resamples what has been resampled for it already."""
        return self.resample_to is not None and not all(map(math.isclose, self.resample_to, self._own_spacing))

    @property
    def _own_spacing(self) -> tuple[float, float, float]:
        """The network's, along the image's axes."""
        return tuple(self.spacing[network_axis] for network_axis in self.transpose_backward)

    def stamps(self) -> FileStamps:
        """Differs where a file of the folder was changed or replaced."""
        return tuple(map(_stamp, (self.path / "plans.json", self.path / "dataset.json", *self.checkpoints)))


def _stamp(path: Path) -> FileStamp:
    try:
        status = path.stat()
    except OSError:  # reading it shows the reason
        return str(path), 0, 0
    return str(path), status.st_mtime_ns, status.st_size


def read_model_folder(path: Path) -> ModelFolder:
    """The model in ``path``, which contains plans.json or is the dataset folder above it.

    Raises SegmentationError: MODEL_FOLDER_MISSING where there is nothing, MODEL_DAMAGED for missing or malformed files,
    MODEL_AMBIGUOUS for a dataset folder with several models of which not exactly one is a 3d_fullres,
    MODEL_NOT_3D, MODEL_CASCADE, MODEL_SEVERAL_CHANNELS, MODEL_REGION_LABELS, MODEL_TOO_MANY_LABELS, MODEL_UNSUPPORTED.
    """
    if not path.is_dir():
        raise SegmentationError("MODEL_FOLDER_MISSING", folder=path.name)
    if (path / "plans.json").is_file() or (path / "dataset.json").is_file():
        return _read(path)
    return _only_model_below(path)


def _only_model_below(path: Path) -> ModelFolder:
    runnable, refused = [], []
    for child in sorted(child for child in path.iterdir() if (child / "plans.json").is_file()):
        try:
            runnable.append(_read(child))
        except SegmentationError as error:
            refused.append(error)
    if len(runnable) > 1:
        full = [folder for folder in runnable if folder.configuration == "3d_fullres"]
        runnable = full if len(full) == 1 else runnable
    if len(runnable) > 1:
        raise SegmentationError("MODEL_AMBIGUOUS", count=len(runnable))
    if runnable:
        return runnable[0]
    if refused:
        raise refused[0]
    raise SegmentationError("MODEL_DAMAGED", detail="it contains no plans.json")


def _read(path: Path) -> ModelFolder:
    plans = _read_json(path / "plans.json")
    dataset_json = _read_json(path / "dataset.json")
    try:
        return _validate(path, plans, dataset_json)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail=f"its JSON files are malformed ({error!s:.60})") from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SegmentationError("MODEL_DAMAGED", detail=f"{path.name} is missing")
    return read_model_json(path)


def _validate(path: Path, plans: dict[str, Any], dataset_json: dict[str, Any]) -> ModelFolder:
    configuration = _configuration_name(path, plans)
    settings = _inherited(plans["configurations"], configuration)
    _check_configuration(configuration, settings)
    channels = dataset_json["modality"] if "modality" in dataset_json else dataset_json["channel_names"]
    if len(channels) != 1:
        raise SegmentationError("MODEL_SEVERAL_CHANNELS", channels=len(channels))
    labels = _labels(dataset_json)
    _check_names(plans, settings)
    patch_size = tuple(int(size) for size in settings["patch_size"])
    spacing = tuple(float(length) for length in settings["spacing"])
    transpose_forward = tuple(int(axis) for axis in plans["transpose_forward"])
    if sorted(transpose_forward) != [0, 1, 2] or len(spacing) != 3:
        raise ValueError("axes")
    if min(patch_size) < 1 or max(patch_size) > 1024 or not min(spacing) > 0:
        raise ValueError("patch_size or spacing")
    return ModelFolder(
        path=path,
        dataset=str(plans.get("dataset_name") or path.parent.name),
        configuration=configuration,
        plans=plans,
        settings=settings,
        dataset_json=dataset_json,
        labels=labels,
        checkpoints=_checkpoints(path),
        patch_size=patch_size,
        spacing=spacing,
        transpose_forward=transpose_forward,
        voxel_order=_voxel_order(plans, dataset_json),
    )


def _configuration_name(path: Path, plans: dict[str, Any]) -> str:
    """The last part of the folder's name, or, in a renamed folder, 3d_fullres or the only configuration."""
    known = list(plans["configurations"])
    named = path.name.split("__")[-1]
    if named in known:
        return named
    if "3d_fullres" in known:
        return "3d_fullres"
    if len(known) == 1:
        return known[0]
    raise SegmentationError("MODEL_DAMAGED", detail="the configuration is missing from the folder's name")


def _inherited(configurations: dict[str, Any], name: str) -> dict[str, Any]:
    """The settings of a configuration over those that it inherits; raises ValueError for a circle."""
    chain = []
    while name is not None:
        if name in chain:
            raise ValueError("configurations inherit from each other in a circle")
        chain.append(name)
        name = configurations[name].get("inherits_from")
    settings: dict[str, Any] = {}
    for ancestor in reversed(chain):
        settings.update(configurations[ancestor])
    return settings


def _check_configuration(name: str, settings: dict[str, Any]) -> None:
    if settings.get("previous_stage") or "cascade" in name:
        raise SegmentationError("MODEL_CASCADE")
    if len(settings["patch_size"]) != 3:
        raise SegmentationError("MODEL_NOT_3D", configuration=name)


def _labels(dataset_json: dict[str, Any]) -> dict[str, int]:
    declared = {name: label for name, label in dataset_json["labels"].items() if name != "ignore"}
    if dataset_json.get("regions_class_order") or any(isinstance(label, list) for label in declared.values()):
        raise SegmentationError("MODEL_REGION_LABELS")
    labels = {str(name): int(label) for name, label in declared.items()}
    if labels.get("background") != 0:
        raise ValueError("labels have no background")
    if len(labels) - 1 > LARGEST_LABEL_COUNT:
        raise SegmentationError("MODEL_TOO_MANY_LABELS", labels=len(labels) - 1)
    if sorted(labels.values()) != list(range(len(labels))):
        raise ValueError("labels are not numbered without a gap")
    return {name: label for name, label in sorted(labels.items(), key=lambda item: item[1]) if label}


def _voxel_order(plans: dict[str, Any], dataset_json: dict[str, Any]) -> str | None:
    """Raises ValueError where what is stored is no voxel order."""
    if plans["image_reader_writer"] in CANONICAL_READERS:
        return CANONICAL
    stored = dataset_json.get(VOXEL_ORDER_KEY)
    return None if stored is None else voxel_order(str(stored))


def _checkpoints(path: Path) -> list[Path]:
    """Weight files of all folds, or of "fold_all" where it is the only one, as nnU-Net's predictor chooses."""
    folds = [fold for fold in path.glob("fold_*") if (fold / CHECKPOINT_NAME).is_file()]
    numbered = sorted((fold for fold in folds if fold.name[5:].isdigit()), key=lambda fold: int(fold.name[5:]))
    chosen = numbered or [fold for fold in folds if fold.name == "fold_all"]
    if not chosen:
        raise SegmentationError("MODEL_DAMAGED", detail=f"none of its folds contains {CHECKPOINT_NAME}")
    return [fold / CHECKPOINT_NAME for fold in chosen]


# -- the names in the plans --------------------------------------------------------------------------------------------


def _check_names(plans: dict[str, Any], settings: dict[str, Any]) -> None:
    """Raises SegmentationError("MODEL_UNSUPPORTED") for any name outside the lists above."""
    _require(plans["image_reader_writer"], CANONICAL_READERS | _PLAIN_READERS, "image reader")
    _require(plans.get("label_manager", "LabelManager"), frozenset(["LabelManager"]), "label manager")
    _require(settings.get("preprocessor_name"), frozenset(["DefaultPreprocessor"]), "preprocessor")
    for scheme in settings["normalization_schemes"]:
        _require(scheme, NORMALISATIONS, "normalisation")
    for purpose in ("data", "seg", "probabilities"):
        _require(settings[f"resampling_fn_{purpose}"], RESAMPLING_FUNCTIONS, "resampling function")
        _check_resampling_arguments(settings[f"resampling_fn_{purpose}_kwargs"])
    if "architecture" not in settings:
        _require(settings["UNet_class_name"], _OLD_NETWORK_CLASSES, "network class")
        return
    architecture = settings["architecture"]
    _require(architecture["network_class_name"], NETWORK_CLASSES, "network class")
    for argument in architecture["arch_kwargs"]:
        _require(argument, _NETWORK_ARGUMENTS, "network argument")
    for argument in architecture["_kw_requires_import"]:
        _require(argument, frozenset(_TORCH_CLASSES), "imported argument")
    for argument, known in _TORCH_CLASSES.items():
        _require(architecture["arch_kwargs"].get(argument), known | {None}, argument)


def _check_resampling_arguments(arguments: dict[str, Any]) -> None:
    for name, value in arguments.items():
        _require(name, _RESAMPLING_ARGUMENTS, "resampling argument")
        if not isinstance(value, bool | int | float | str | None):
            raise ValueError(name)


def _require(name: Any, known: frozenset, what: str) -> None:
    if not (name is None or isinstance(name, str)) or name not in known:
        raise SegmentationError("MODEL_UNSUPPORTED", detail=f"{what} {name!s:.60}")


_ARCHITECTURE = (
    *("architecture", "UNet_class_name", "UNet_base_num_features", "unet_max_num_features"),
    *("n_conv_per_stage_encoder", "n_conv_per_stage_decoder", "pool_op_kernel_sizes", "conv_kernel_sizes"),
)
"""Settings of plans in the new and the old format that decide what a network computes."""


def architecture_key(folder: ModelFolder) -> str:
    """Names what a folder's networks compute and how much; folders with the same key take the same time per tile.

    The number of labels is left out: the last layer takes a hundredth of the time, and the parts of one model shall
    not be tried out one by one.
    """
    settings = {name: folder.settings[name] for name in _ARCHITECTURE if name in folder.settings}
    trainer = folder.path.name.split("__")[0]  # decides about mirror images, of which a tile may take eight
    identity = [settings, list(folder.patch_size), len(folder.checkpoints), trainer]
    if not folder.mirrors and "nomirror" not in trainer.lower().replace("_", ""):
        identity.append("without mirror images")
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
