"""Which models find a choice of structures."""

from __future__ import annotations

import pytest
from TotalSegmentatorWire.choice.model_selection import families, select_models, structures_of_preset
from TotalSegmentatorWire.choice.presets import read_presets
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.tables.structures import structure_table

ALL_MODELS = frozenset(read_catalogue())


def models_of(selection) -> list[str]:
    return [request.model for request in selection.requests]


@pytest.mark.parametrize(
    ("names", "options", "models"),
    [
        (["liver"], {}, ["104-1.5mm"]),
        (["liver"], {"quality": "fast"}, ["104-3mm"]),
        (["liver"], {"prefer": "117"}, ["117-1.5mm"]),
        (["spinal_cord", "liver"], {}, ["117-1.5mm"]),
        (["spinal_cord", "liver"], {"prefer": "104"}, ["104-1.5mm", "117-1.5mm"]),
        (["heart_atrium_left", "liver"], {}, ["104-1.5mm"]),
        (["heart_atrium_left", "spinal_cord", "liver"], {"quality": "fast"}, ["104-3mm", "117-3mm"]),
        (["parotid_gland_left", "optic_nerve_left"], {}, ["head_glands_cavities", "oculomotor_muscles"]),
        (["parotid_gland_left", "optic_nerve_left"], {"prefer": "head_glands_cavities"}, ["head_glands_cavities"]),
        (["trapezius_left"], {}, ["headneck_muscles"]),
        (["trapezius_left", "psoas_major_left"], {}, ["abdominal_muscles"]),
        (["optic_nerve_left", "lateral_rectus_muscle_left"], {}, ["oculomotor_muscles"]),
        (["body_trunc"], {}, ["body"]),
        (["body_trunc"], {"quality": "fast"}, ["body-6mm"]),
        (["vertebrae_L5"], {"quality": "fast"}, ["104-3mm"]),
        (["vertebrae_L5", "liver"], {"prefer": "vertebrae_pp"}, ["104-1.5mm", "vertebrae_pp"]),
        (["skull"], {}, ["craniofacial_structures"]),
        (["skull"], {"prefer": "117"}, ["117-1.5mm"]),
        (["skull"], {"quality": "fast"}, ["117-3mm"]),
        (["skull"], {"installed": {"117-1.5mm"}}, ["craniofacial_structures"]),
        (["liver"], {"installed": {"117-1.5mm"}}, ["117-1.5mm"]),
        (["liver"], {"installed": {"117-1.5mm", "104-1.5mm"}}, ["104-1.5mm"]),
        (["liver"], {"installed": {"104-3mm", "117-3mm"}}, ["104-1.5mm"]),
    ],
)
def test_models_of_a_choice(names, options, models):
    selection = select_models(names, **options)
    assert models_of(selection) == models
    assert set(selection.model_of) == set(names)
    assert selection.unavailable == ()


def test_the_finest_model_finds_what_two_families_have():
    """Nerves in voxels of 0.19 mm3 rather than of 0.56 mm3; the skull not from the finest of three models, which was
    only trained with its help."""
    selection = select_models(["optic_nerve_left", "eye_left", "skull", "liver"])
    assert selection.model_of == {
        "optic_nerve_left": "oculomotor_muscles",
        "eye_left": "head_glands_cavities",
        "skull": "craniofacial_structures",
        "liver": "104-1.5mm",
    }


def test_in_fast_quality_no_model_is_finer_than_the_whole_body_ones():
    selection = select_models(["kidney_cyst_left", "spinal_cord", "vertebrae_L5"], "fast")
    assert set(selection.model_of.values()) == {"117-3mm"}


def test_what_helped_to_train_one_model_comes_from_it_only_where_nobody_else_finds_it():
    assert select_models(["lung_pleural"]).model_of == {"lung_pleural": "pleural_pericard_effusion"}
    assert select_models(["skull"], prefer="oculomotor_muscles").model_of == {"skull": "oculomotor_muscles"}


def test_names_that_no_model_has_are_told():
    selection = select_models(["liver", "left_foot"])
    assert selection.unavailable == ("left_foot",)
    assert select_models(["left_foot"]).requests == ()


def test_all_structures_of_a_model_are_asked_for_without_names():
    (request,) = select_models(row.name for row in structure_table("structures_104")).requests
    assert request.structures is None
    (few,) = select_models(["stomach", "liver", "liver"]).requests
    assert few.structures == ("liver", "stomach"), "in the order of the label table, each once"


def test_networks_that_run_anyway_find_what_two_families_have():
    """The atria need the cardiac network of the 104, the cord and the thyroid the ones of organs and muscles of the
    117: the liver costs nothing there."""
    selection = select_models(["heart_atrium_left", "spinal_cord", "thyroid_gland", "liver", "esophagus"])
    assert selection.model_of["liver"] == "117-1.5mm"
    assert selection.model_of["esophagus"] == "104-1.5mm"
    assert selection.networks == 3


def test_fewest_networks():
    assert select_models(["liver"]).networks == 1
    assert select_models(["liver", "vertebrae_L5", "rib_left_1"]).networks == 3
    assert select_models(["liver", "vertebrae_L5", "rib_left_1"], "fast").networks == 1


def test_thorax_for_radiotherapy_needs_both_families_and_tasks():
    names = structures_of_preset(read_presets()["rt-thorax"])
    selection = select_models(names)
    assert models_of(selection) == [
        "104-1.5mm",
        "117-1.5mm",
        "pleural_pericard_effusion",
        "trunk_cavities",
        "body",
    ]
    for name in ("heart_atrium_left", "heart_ventricle_right", "pulmonary_artery"):
        assert selection.model_of[name] == "104-1.5mm"
    for name in ("spinal_cord", "superior_vena_cava", "pulmonary_vein", "thyroid_gland", "heart"):
        assert selection.model_of[name] == "117-1.5mm"
    assert selection.unavailable == ()
    assert "117-6mm" in selection.needed_models, "it locates for the tasks"


def test_no_model_runs_only_for_what_helps_to_draw():
    thorax = read_presets()["rt-thorax"]
    assert {"lung_airways", "trachea"} <= {name for row in thorax.rows for name in row.helpers}
    selection = select_models(thorax.structures, helpers=thorax.helpers)
    assert models_of(selection) == models_of(select_models(thorax.structures))
    assert "lung_airways" not in selection.model_of
    assert selection.unavailable == ()


def test_a_model_that_runs_anyway_finds_what_helps_to_draw():
    helped = select_models(["lung_arteries"], helpers=["lung_airways", "trachea", "lung_arteries"])
    assert helped.model_of == {"lung_arteries": "lung_vessels", "lung_airways": "lung_vessels"}
    assert helped.requests[0].structures == ("lung_airways", "lung_arteries")
    both = select_models(["heart_atrium_left", "spinal_cord"], prefer="117", helpers=["liver"])
    assert both.model_of["liver"] == "117-1.5mm"


@pytest.mark.parametrize("preset", read_presets())
@pytest.mark.parametrize("quality", ["fine", "fast"])
def test_every_preset_is_covered(preset, quality):
    names = structures_of_preset(read_presets()[preset])
    selection = select_models(names, quality, installed=ALL_MODELS)
    assert selection.unavailable == ()
    asked = {
        name: request.model
        for request in selection.requests
        for name in request.structures
        or [row.name for row in structure_table(read_catalogue()[request.model].structures)]
    }
    assert asked == selection.model_of


def test_whole_body_is_that_of_the_preferred_family():
    everything = read_presets()["all"]
    assert models_of(select_models(structures_of_preset(everything))) == ["104-1.5mm"]
    names = structures_of_preset(everything, "117")
    assert len(names) == 117
    assert models_of(select_models(names, prefer="117")) == ["117-1.5mm"]


def test_families_are_those_of_the_catalogue_and_the_default_comes_first():
    assert families()[:2] == ("104", "117")
    assert "head_glands_cavities" in families()
