"""The whole program on a stranger's machine: opens the module in the stand-in desktop, clicks Apply, leaves pictures.

Started by ``python3 Testing/run.py demo [--ct FILE --model FOLDER] [--output DIR]``. Without a CT it makes a phantom in
a pose, spacing and voxel order that the demo model was not trained on, and compares the result with its true labels.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np

TESTING = Path(__file__).resolve().parent
MODULE = TESTING.parent / "TotalSegmentatorModule"
sys.path[:0] = [str(TESTING), str(MODULE)]

from desktop import Desktop, GraphicsLibraryMissingError  # noqa: E402 - found through the line above
from phantom import PhantomParameters, make_phantom  # noqa: E402
from scores import dice_by_label, volumes_and_means, worst  # noqa: E402

DEMO_MODEL = TESTING / "demo_model" / "Dataset900_PhantomDemo104" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
DEMO_PHANTOM = PhantomParameters(
    seed=20_001,
    spacing_mm=(2.4, 2.2, 2.6),
    orientation="PIR",
    rotation_degrees=(3.0, -2.0, 4.0),
    scale=(1.03, 0.98, 1.02),
    shift_mm=(6.0, -8.0, 10.0),
)
TIME_LIMIT_S = 3600.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.py demo", description="Segment a CT through the module's panel.")
    parser.add_argument("--ct", type=Path, help="NIfTI, NRRD or MHA file, or a DICOM folder; a phantom without it")
    parser.add_argument("--model", type=Path, help="nnU-Net v2 model folder; the demo model without it")
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="folder for results and pictures")
    arguments = parser.parse_args()
    if arguments.ct and not arguments.model:
        parser.error("--ct needs --model: the demo model was trained only on the phantom; never use it for patients")
    arguments.output.mkdir(parents=True, exist_ok=True)
    try:
        with Desktop() as app:
            return _demonstrate(app, arguments.ct, (arguments.model or DEMO_MODEL).resolve(), arguments.output)
    except GraphicsLibraryMissingError as error:
        print(error, file=sys.stderr)
        return 3


def _demonstrate(app: Desktop, ct_path: Path | None, model: Path, output: Path) -> int:
    ct, truth = _load_ct(app, ct_path)
    widget = app.open_module(MODULE / "TotalSegmentatorModule.py")
    parameters = widget.logic.getParameterNode()
    parameters.isModelChosen, parameters.model, parameters.modelFolder = True, "", str(model)
    app.process_events()
    started = time.monotonic()
    app.reset_block_clock()
    app.click(widget.ui.progress.applyButton)
    _follow(app, widget.ui.progress)
    print("{:.0f} s; Slicer was never blocked longer than {:.0f} ms".format(
        time.monotonic() - started, app.longest_block_ms()))  # fmt: skip
    (output / "run.log").write_text(widget.ui.log.textEdit.toPlainText() + "\n", encoding="utf-8")
    app.grab(widget, output / "panel.png", 460, 720)
    segmentation, messages = _result(app), widget.ui.messages
    if segmentation is None:
        print("{} {}".format(messages.errorWhatLabel.text, messages.errorTodoLabel.text), file=sys.stderr)
        return 1
    print(messages.resultLabel.text)
    _write_results(app, ct, segmentation, output)
    _report_dice(segmentation, truth)
    print("Results and pictures are in {}".format(output.resolve()))
    return _errors(app)


def _load_ct(app: Desktop, ct_path: Path | None):
    """The CT's volume node, and its true labels (k, j, i) where they are known."""
    if ct_path is None:
        print("Making the phantom...", flush=True)
        phantom = make_phantom(DEMO_PHANTOM)
        return app.add_volume(phantom.ct, phantom.ijk_to_ras, "Phantom CT"), phantom.labels
    if ct_path.is_dir():
        return app.load_dicom_series(ct_path), None
    return app.load_volume(ct_path), None


def _follow(app: Desktop, ui) -> None:
    """Show the panel's progress in the terminal until Apply is Apply again."""
    shown = ""

    def is_over() -> bool:
        nonlocal shown
        busy = ui.progressFrame.visible
        line = "{:5.1f} %  {}  {}".format(ui.progressBar.value / 10, ui.stageLabel.text, ui.timeLeftLabel.text)
        if busy and line != shown:
            shown = line
            print("\r" + line.ljust(100), end="" if sys.stdout.isatty() else "\n", flush=True)
        return not busy

    if not app.wait_until(is_over, TIME_LIMIT_S):
        raise TimeoutError("The segmentation did not end within {:.0f} s".format(TIME_LIMIT_S))
    print()


def _result(app: Desktop):
    import slicer

    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return nodes[-1] if nodes else None


def _shared_labels(segmentation) -> np.ndarray:
    """The label map (k, j, i) that all segments of a fresh result share."""
    import vtk.util.numpy_support

    image = segmentation.GetBinaryLabelmapInternalRepresentation(segmentation.GetSegmentation().GetNthSegmentID(0))
    scalars = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return scalars.reshape(image.GetDimensions()[::-1])


def _names(segmentation) -> dict[int, str]:
    content = segmentation.GetSegmentation()
    segments = [content.GetNthSegment(n) for n in range(content.GetNumberOfSegments())]
    return {segment.GetLabelValue(): segment.GetName() for segment in segments}


def _write_results(app: Desktop, ct, segmentation, output: Path) -> None:
    import slicer

    segmentation.AddDefaultStorageNode()
    storage = segmentation.GetStorageNode()
    storage.SetFileName(str(output / "segmentation.seg.nrrd"))
    if not storage.WriteData(segmentation):
        raise OSError("segmentation.seg.nrrd could not be written")
    voxel_ml = float(np.prod(ct.GetSpacing())) / 1000.0
    rows = volumes_and_means(_shared_labels(segmentation), slicer.util.arrayFromVolume(ct), voxel_ml)
    with (output / "statistics.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["structure", "volume_ml", "mean_hu"])
        names = _names(segmentation)
        writer.writerows([names[label], round(ml, 2), round(mean, 1)] for label, (ml, mean) in rows.items())
    print("Drawing slices and surfaces...", flush=True)
    app.slice_views_png(output / "slices.png", ct, segmentation)
    app.three_d_png(output / "surfaces.png", segmentation)


def _report_dice(segmentation, truth: np.ndarray | None) -> None:
    if truth is None:
        return
    dice = dice_by_label(_shared_labels(segmentation), truth)
    found = sum(value > 0 for value in dice.values())
    print("{} of {} structures found, mean Dice {:.3f} against the phantom's own labels; lowest: {}".format(
        found, len(dice), np.mean(list(dice.values())), worst(dice, _names(segmentation))))  # fmt: skip


def _errors(app: Desktop) -> int:
    for error in app.errors:
        print("error in the panel: {!r}".format(error), file=sys.stderr)
    return 1 if app.errors else 0


if __name__ == "__main__":
    sys.exit(main())
