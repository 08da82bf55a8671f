"""Which model folders are taken and which are refused, from their JSON files alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from one_model import model_task
from places import MODULE_FOLDER
from seeded_models import configuration_settings, dataset_json_of, plans_of, write_folder
from TotalSegmentatorEngine.models.find_model import find_model, structures_of
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.structures import structure_table
from TotalSegmentatorWire.tables.voxel_orders import VOXEL_ORDER_KEY


def refusal_of(folder: Path) -> SegmentationError:
    with pytest.raises(SegmentationError) as caught:
        read_model_folder(folder)
    assert caught.value.problem.what and caught.value.problem.todo
    return caught.value


def test_a_folder_is_read_by_itself_and_from_its_dataset_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "Dataset900_Seeded")
    direct, from_above = read_model_folder(folder), read_model_folder(folder.parent)
    assert direct == from_above
    assert direct.labels == {"liver": 1, "spleen": 2}
    assert direct.patch_size == (16, 16, 16)
    assert [path.parent.name for path in direct.checkpoints] == ["fold_0"]


def test_the_full_resolution_model_is_preferred(tmp_path: Path) -> None:
    dataset = tmp_path / "Dataset900_Seeded"
    plans = plans_of(configuration_settings(), dataset.name)
    plans["configurations"]["3d_lowres"] = {"inherits_from": "3d_fullres", "spacing": [6.0, 6.0, 6.0]}
    low = write_folder(dataset, plans, leaf="nnUNetTrainer__nnUNetPlans__3d_lowres")
    write_folder(dataset, plans)
    assert read_model_folder(dataset).configuration == "3d_fullres"
    assert read_model_folder(low).spacing == (6.0, 6.0, 6.0), "lowres inherits the rest"


def test_two_models_that_could_run_are_not_guessed_between(tmp_path: Path) -> None:
    dataset = tmp_path / "Dataset900_Seeded"
    write_folder(dataset)
    write_folder(dataset, leaf="nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres")
    assert refusal_of(dataset).code == "MODEL_AMBIGUOUS"


def test_all_numbered_folds_are_taken_in_order(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "Dataset900_Seeded")
    for name in ("fold_10", "fold_2", "fold_all"):
        (folder / name).mkdir()
        (folder / name / "checkpoint_final.pth").write_bytes(b"")
    assert [path.parent.name for path in read_model_folder(folder).checkpoints] == ["fold_0", "fold_2", "fold_10"]


def test_transposed_plans_give_the_spacing_in_the_order_of_the_image(tmp_path: Path) -> None:
    settings = configuration_settings(spacing=(1.0, 2.0, 3.0))
    folder = write_folder(tmp_path / "D", plans_of(settings, transpose_forward=(2, 0, 1)))
    assert read_model_folder(folder).image_spacing == (2.0, 3.0, 1.0)


@pytest.mark.parametrize(
    ("reader", "stored", "order", "warns"),
    [
        ("SimpleITKIO", None, None, True),
        ("NibabelIO", None, None, True),
        ("SimpleITKIO", "lps", "LPS", False),
        ("NibabelIO", "file", "file", False),
        ("NibabelIOWithReorient", None, "RAS", False),
        ("SimpleITKIOWithReorient", "LPS", "RAS", False),
    ],
)
def test_the_voxel_order_is_the_readers_or_the_stored_one_and_a_job_warns_of_an_unknown_one(
    tmp_path: Path, reader: str, stored: str | None, order: str | None, warns: bool
) -> None:
    table = dataset_json_of(["liver"]) | ({} if stored is None else {VOXEL_ORDER_KEY: stored})
    folder = write_folder(tmp_path / "D", plans_of(configuration_settings(), reader=reader), table)
    assert read_model_folder(folder).voxel_order == order
    codes = [warning.code for warning in prepare(model_task(str(folder), tmp_path)).warnings]
    assert codes == (["MODEL_ORIENTATION_UNKNOWN"] if warns else [])


def test_a_canonical_pipeline_needs_no_stored_order(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "D", plans_of(configuration_settings(), reader="SimpleITKIO"))
    options = JobOptions(profile="totalsegmentator-2.18")
    assert prepare(model_task(str(folder), tmp_path, options=options)).warnings == []


def test_a_stored_order_that_is_none_is_refused(tmp_path: Path) -> None:
    table = dataset_json_of(["liver"]) | {VOXEL_ORDER_KEY: "RAP"}
    folder = write_folder(tmp_path / "D", plans_of(configuration_settings(), reader="SimpleITKIO"), table)
    assert refusal_of(folder).code == "MODEL_DAMAGED"


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_missing_and_damaged_folders(tmp_path: Path) -> None:
    assert refusal_of(tmp_path / "nowhere").code == "MODEL_FOLDER_MISSING"
    (tmp_path / "empty").mkdir()
    assert refusal_of(tmp_path / "empty").code == "MODEL_DAMAGED"
    assert refusal_of(write_folder(tmp_path / "no_weights", weights=False)).code == "MODEL_DAMAGED"
    folder = write_folder(tmp_path / "broken")
    (folder / "plans.json").write_text('{"configurations": ')
    assert refusal_of(folder).code == "MODEL_DAMAGED"
    folder = write_folder(tmp_path / "no_dataset_json")
    (folder / "dataset.json").unlink()
    assert "dataset.json" in refusal_of(folder).problem.what


@pytest.mark.parametrize("key", ["configurations", "transpose_forward", "image_reader_writer"])
def test_plans_without_a_needed_key_are_damaged(tmp_path: Path, key: str) -> None:
    plans = plans_of(configuration_settings())
    del plans[key]
    assert refusal_of(write_folder(tmp_path / "D", plans)).code == "MODEL_DAMAGED"


def test_configurations_that_inherit_in_a_circle_are_damaged(tmp_path: Path) -> None:
    plans = plans_of(configuration_settings())
    plans["configurations"]["3d_fullres"]["inherits_from"] = "3d_fullres"
    assert refusal_of(write_folder(tmp_path / "D", plans)).code == "MODEL_DAMAGED"


def test_two_dimensional_and_cascaded_configurations(tmp_path: Path) -> None:
    plans = plans_of(configuration_settings())
    plans["configurations"]["2d"] = configuration_settings(patch_size=(32, 32), spacing=(1.0, 1.0))
    folder = write_folder(tmp_path / "flat", plans, leaf="nnUNetTrainer__nnUNetPlans__2d")
    assert refusal_of(folder).code == "MODEL_NOT_3D"
    plans["configurations"]["3d_cascade_fullres"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"}
    folder = write_folder(tmp_path / "cascade", plans, leaf="nnUNetTrainer__nnUNetPlans__3d_cascade_fullres")
    assert refusal_of(folder).code == "MODEL_CASCADE"


def test_channels_regions_and_too_many_labels(tmp_path: Path) -> None:
    several = dataset_json_of(["liver"]) | {"channel_names": {"0": "CT", "1": "PET"}}
    assert refusal_of(write_folder(tmp_path / "a", dataset_json=several)).code == "MODEL_SEVERAL_CHANNELS"
    regions = dataset_json_of(["liver"])
    regions["labels"]["whole"] = [1, 2]
    assert refusal_of(write_folder(tmp_path / "b", dataset_json=regions)).code == "MODEL_REGION_LABELS"
    ordered = dataset_json_of(["liver"]) | {"regions_class_order": [1]}
    assert refusal_of(write_folder(tmp_path / "c", dataset_json=ordered)).code == "MODEL_REGION_LABELS"
    many = dataset_json_of([f"label_{number}" for number in range(256)])
    assert refusal_of(write_folder(tmp_path / "d", dataset_json=many)).code == "MODEL_TOO_MANY_LABELS"
    most = dataset_json_of([f"label_{number}" for number in range(255)])
    assert len(read_model_folder(write_folder(tmp_path / "e", dataset_json=most)).labels) == 255


def test_labels_with_a_gap_are_damaged_and_an_ignore_label_is_no_label(tmp_path: Path) -> None:
    gap = dataset_json_of(["liver"])
    gap["labels"]["spleen"] = 7
    assert refusal_of(write_folder(tmp_path / "a", dataset_json=gap)).code == "MODEL_DAMAGED"
    ignore = dataset_json_of(["liver"])
    ignore["labels"]["ignore"] = 2
    assert read_model_folder(write_folder(tmp_path / "b", dataset_json=ignore)).labels == {"liver": 1}


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (("architecture", "network_class_name"), "os.system"),
        (("architecture", "arch_kwargs", "conv_op"), "os.system"),
        (("architecture", "arch_kwargs", "nonlin"), "builtins.eval"),
        (("architecture", "arch_kwargs", "norm_op"), ["torch.nn.Module"]),
        (("architecture", "arch_kwargs", "block"), "subprocess.Popen"),
        (("architecture", "_kw_requires_import"), ["n_stages"]),
        (("preprocessor_name",), "MyPreprocessor"),
        (("normalization_schemes",), ["RGBTo01Normalization"]),
        (("resampling_fn_data",), "my_resampling"),
        (("resampling_fn_probabilities_kwargs", "device"), "cuda"),
    ],
)
def test_no_name_outside_the_lists_reaches_nnunet(tmp_path: Path, place: tuple[str, ...], name: object) -> None:
    settings = configuration_settings()
    holder = settings
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = name
    assert refusal_of(write_folder(tmp_path / "D", plans_of(settings))).code == "MODEL_UNSUPPORTED"


def test_an_unknown_reader_or_old_network_class_is_refused(tmp_path: Path) -> None:
    plans = plans_of(configuration_settings(), reader="MyReader")
    assert refusal_of(write_folder(tmp_path / "a", plans)).code == "MODEL_UNSUPPORTED"
    settings = configuration_settings(old_format=True) | {"UNet_class_name": "MyNetwork"}
    assert refusal_of(write_folder(tmp_path / "b", plans_of(settings))).code == "MODEL_UNSUPPORTED"


# -- from name to model ------------------------------------------------------------------------------------------------


def test_structures_of_a_folder_come_from_its_names_with_its_numbers(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "D", dataset_json=dataset_json_of(["spleen", "prostate", "my_lesion"]))
    spleen, prostate, lesion = find_model(str(folder), tmp_path).structures
    table = {structure.name: structure for structure in structure_table("structures_104")}
    assert (spleen.label, spleen.colour, spleen.type) == (1, table["spleen"].colour, table["spleen"].type)
    assert prostate.label == 2 and prostate.type[0].isdigit(), "known from the table of 117"
    assert lesion.label == 3 and lesion.terminology.count("~") == 6
    again = find_model(str(folder), tmp_path).structures[2]
    assert again.colour == lesion.colour, "a generated colour is stable"


def test_profiles_of_folders(tmp_path: Path) -> None:
    assert find_model(str(write_folder(tmp_path / "Dataset900_Seeded")), tmp_path).profile.id == "nnunet"
    published = "Dataset297_TotalSegmentator_total_3mm_1559subj"
    assert find_model(str(write_folder(tmp_path / published)), tmp_path).profile.id == "totalsegmentator-2.18"
    demo = dataset_json_of(["liver"]) | {"totalsegmentator_module_demo": True}
    folder = write_folder(tmp_path / "demo", dataset_json=demo)
    prepared = prepare(model_task(str(folder), tmp_path))
    assert prepared.models[0].model.profile.id == "nnunet"
    assert [warning.code for warning in prepared.warnings] == ["DEMO_MODEL"]


def write_117(models_folder: Path, parts: tuple[int, ...] = (291, 292, 293, 294, 295)) -> None:
    table = structure_table("structures_117")
    names = {
        291: "Dataset291_TotalSegmentator_part1_organs_1559subj",
        292: "Dataset292_TotalSegmentator_part2_vertebrae_1532subj",
        293: "Dataset293_TotalSegmentator_part3_cardiac_1559subj",
        294: "Dataset294_TotalSegmentator_part4_muscles_1559subj",
        295: "Dataset295_TotalSegmentator_part5_ribs_1559subj",
    }
    for part in parts:
        rows = sorted((s for s in table if s.part_model == f"Dataset{part}"), key=lambda s: s.label_in_part)
        dataset_json = dataset_json_of([structure.name for structure in rows])
        leaf = "nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres"
        write_folder(models_folder / names[part], dataset_json=dataset_json, leaf=leaf)


def test_a_catalogue_model_joins_its_parts(tmp_path: Path) -> None:
    write_117(tmp_path)
    model = find_model("117-1.5mm", tmp_path)
    assert len(model.structures) == 117 and len(model.parts) == 5
    produced = sorted(label for part in model.parts for label in part.labels.values())
    assert produced == list(range(1, 118)), "every label comes from exactly one part"
    for part in model.parts:
        by_label = {structure.label: structure.name for structure in model.structures}
        for name, label_in_part in part.folder.labels.items():
            assert by_label[part.labels[label_in_part]] == name


def _renumber(models_folder: Path, change) -> None:
    """Pass the names of part 295, in the order of their numbers, through ``change``."""
    path = next(models_folder.glob("Dataset295_*/*/dataset.json"))
    names = [name for name in json.loads(path.read_text())["labels"] if name != "background"]
    path.write_text(json.dumps(dataset_json_of(change(names))))


def test_parts_are_joined_by_the_names_of_their_labels(tmp_path: Path) -> None:
    write_117(tmp_path)
    _renumber(tmp_path, lambda names: names[::-1])
    model = find_model("117-1.5mm", tmp_path)
    ribs = model.parts[4]
    names = {structure.label: structure.name for structure in model.structures}
    assert {names[label]: number for number, label in ribs.labels.items()} == ribs.folder.labels


def test_a_part_without_names_has_the_published_numbers(tmp_path: Path) -> None:
    write_117(tmp_path)
    as_published = find_model("117-1.5mm", tmp_path).parts[4].labels
    _renumber(tmp_path, lambda names: [str(number) for number in range(1, len(names) + 1)])
    assert find_model("117-1.5mm", tmp_path).parts[4].labels == as_published


def test_a_part_whose_names_contradict_the_label_table_is_not_guessed_at(tmp_path: Path) -> None:
    write_117(tmp_path)
    _renumber(tmp_path, lambda names: [names[1], names[0], "another name", *names[3:]])
    with pytest.raises(SegmentationError) as caught:
        find_model("117-1.5mm", tmp_path)
    assert caught.value.code == "MODEL_DAMAGED"


def test_only_the_parts_that_know_the_structures_must_be_installed(tmp_path: Path) -> None:
    write_117(tmp_path, parts=(291,))
    with pytest.raises(SegmentationError) as caught:
        prepare(model_task("117-1.5mm", tmp_path))
    assert caught.value.code == "MODEL_MISSING"
    prepared = prepare(model_task("117-1.5mm", tmp_path, ["liver", "spleen"]))
    assert [part.folder is not None for part in prepared.models[0].model.parts] == [True, False, False, False, False]
    assert [structure.name for structure in prepared.structures] == ["spleen", "liver"]


def test_an_unknown_structure_is_named_with_its_neighbours_before_the_model_is_looked_for(tmp_path: Path) -> None:
    assert len(structures_of("104-3mm", tmp_path)) == 104, "the names are known without the model"
    with pytest.raises(SegmentationError) as caught:
        prepare(model_task("104-3mm", tmp_path, ["livr"]))
    assert caught.value.code == "STRUCTURE_UNKNOWN"
    assert "liver" in caught.value.problem.what


def test_a_wrong_device_name_is_refused_early(tmp_path: Path) -> None:
    with pytest.raises(SegmentationError) as caught:
        prepare(model_task("104-3mm", tmp_path, device="cpu:7"))
    assert caught.value.code == "DEVICE_UNAVAILABLE"


def test_preparing_imports_neither_torch_nor_nnunet(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "D")
    program = (
        "import sys; from pathlib import Path\n"
        "from TotalSegmentatorEngine.job.task import SegmentationTask\n"
        "from TotalSegmentatorWire.messages.model_request import ModelRequest\n"
        "from TotalSegmentatorEngine.pipeline.prepare import prepare\n"
        f"prepare(SegmentationTask((ModelRequest({str(folder)!r}),), Path('.')))\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'nnunetv2', 'SimpleITK')))"
    )
    package_folder = MODULE_FOLDER
    subprocess.run([sys.executable, "-c", program], cwd=package_folder, check=True)
