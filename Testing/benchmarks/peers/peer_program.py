"""Runs in the peers' environment: TotalSegmentator's command line with a clock on its networks, its writer of structure
sets, or nnU-Net's predictor.

``peer_program.py total ARGUMENTS...`` is ``TotalSegmentator ARGUMENTS...``;
``peer_program.py predictor MODEL_FOLDER CT OUTPUT STEP`` is nnU-Net's own predictor on one CT, in one process;
``peer_program.py rtstruct LABELS CLASSES CT_FOLDER OUTPUT`` writes a label map as TotalSegmentator does, and prints the
seconds that it took.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.measuring.network_clock import FILE_VARIABLE, NetworkClock, after_import

FLOAT32_SUMS_VARIABLE = "BENCHMARK_FLOAT32_SUMS"
"""Where it is set, nnU-Net adds up overlapping tiles in float32 instead of float16."""


def clock_predictor(module: ModuleType) -> None:
    """Each network that a predictor loads gets a clock of its own."""
    predictor = module.nnUNetPredictor
    initialize = predictor.initialize_from_trained_model_folder
    compute = predictor._internal_maybe_mirror_and_predict

    def initialize_with_clock(self: Any, model_folder: str, *arguments: Any, **options: Any) -> None:
        # the predictor multiplies the answer in place
        self.network_clock = NetworkClock(Path(model_folder).parent.name, copy=lambda answer: answer.clone())
        initialize(self, model_folder, *arguments, **options)

    def compute_clocked(self: Any, tiles: Any) -> Any:
        return self.network_clock.call(lambda: compute(self, tiles), len(tiles))

    predictor.initialize_from_trained_model_folder = initialize_with_clock
    predictor._internal_maybe_mirror_and_predict = compute_clocked


def add_up_in_float32(module: ModuleType) -> None:
    """nnU-Net names the type of its sums torch.half. In float16 nearly tied logits are rounded to ties, which the first
    label wins, and the Gaussian's smallest weights leave a single bit of them: near the edges of an image labels are
    chance. Seeded weights tie everywhere, and much of a small image is near an edge."""
    module.torch.half = module.torch.float32


def predict_by_nnunet(folder: str, ct: str, output: str, step: str) -> None:
    """What nnU-Net's predictor makes of a CT, on the CPU, by its own reading, preprocessing and writing."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    torch.set_num_threads(os.cpu_count() or 1)
    predictor = nnUNetPredictor(tile_step_size=float(step), device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(folder, None, "checkpoint_final.pth")
    truncated = output.removesuffix(".nii.gz")
    predictor.predict_from_files_sequential([[ct]], [truncated], save_probabilities=False, overwrite=True)


def write_structure_set(labels: str, classes: str, ct_folder: str, output: str) -> None:
    """By TotalSegmentator's own function; ``classes`` is a JSON file from label values to names.

    It wants the labels as it has them of a DICOM CT: in the voxel order LAS, to which dicom2nifti turns an axial one.
    """
    import nibabel
    import numpy as np
    from totalsegmentator.dicom_io import save_mask_as_rtstruct

    image = nibabel.load(labels)
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(("L", "A", "S"))
    )
    array = np.asarray(image.as_reoriented(turn).dataobj)
    names = json.loads(Path(classes).read_text(encoding="ascii"))
    begun = time.perf_counter()
    save_mask_as_rtstruct(array, {int(label): name for label, name in names.items()}, ct_folder, output)
    print("seconds", time.perf_counter() - begun)


def main(arguments: list[str]) -> None:
    if os.environ.get(FILE_VARIABLE):
        after_import("nnunetv2.inference.predict_from_raw_data", clock_predictor)
    if os.environ.get(FLOAT32_SUMS_VARIABLE):
        after_import("nnunetv2.inference.predict_from_raw_data", add_up_in_float32)
    if arguments[0] == "predictor":
        predict_by_nnunet(*arguments[1:])
    elif arguments[0] == "rtstruct":
        write_structure_set(*arguments[1:])
    else:
        sys.argv[:] = ["TotalSegmentator", *arguments[1:]]
        runpy.run_module("totalsegmentator.bin.TotalSegmentator", run_name="__main__")


if __name__ == "__main__":  # nnU-Net starts worker processes, which import this file as well
    main(sys.argv[1:])
