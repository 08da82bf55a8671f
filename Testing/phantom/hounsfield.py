"""CT numbers of the structures (portal-venous contrast), and the steps that tell equal-looking bones apart."""

from __future__ import annotations

from phantom.body_frame import VERTEBRAE

AIR, FAT, MUSCLE, SKIN = -1000.0, -100.0, 50.0, 10.0
SKULL, STERNUM, CARTILAGE, DISC, CORD = 950.0, 170.0, 110.0, 85.0, 35.0

# Order chosen so that neighbours always differ by at least 260 HU, far above noise and partial volume.
BONE_CYCLE = (250.0, 640.0, 380.0, 770.0, 510.0, 900.0)

SOFT_TISSUE = {
    "spleen": 130.0,
    "kidney_right": 185.0,
    "kidney_left": 185.0,
    "gallbladder": 8.0,
    "liver": 105.0,
    "stomach": 30.0,
    "aorta": 240.0,
    "inferior_vena_cava": 150.0,
    "portal_vein_and_splenic_vein": 180.0,
    "pancreas": 85.0,
    "adrenal_gland_right": 65.0,
    "adrenal_gland_left": 65.0,
    "lung_upper_lobe_left": -870.0,
    "lung_lower_lobe_left": -770.0,
    "lung_upper_lobe_right": -870.0,
    "lung_middle_lobe_right": -700.0,
    "lung_lower_lobe_right": -780.0,
    "esophagus": 40.0,
    "trachea": -985.0,
    "heart_myocardium": 95.0,
    "heart_atrium_left": 200.0,
    "heart_ventricle_left": 215.0,
    "heart_atrium_right": 135.0,
    "heart_ventricle_right": 150.0,
    "pulmonary_artery": 175.0,
    "brain": 36.0,
    "iliac_artery_left": 240.0,
    "iliac_artery_right": 240.0,
    "iliac_vena_left": 140.0,
    "iliac_vena_right": 140.0,
    "small_bowel": 75.0,
    "duodenum": 40.0,
    "colon": 45.0,
    "face": 40.0,
    "gluteus_maximus": 50.0,
    "gluteus_medius": 70.0,
    "gluteus_minimus": 40.0,
    "autochthon": 55.0,
    "iliopsoas": 65.0,
    "urinary_bladder": 6.0,
}
COLON_CONTENT = -350.0  # stool mixed with gas
BONE = {"humerus": 600.0, "scapula": 450.0, "clavicula": 700.0, "femur": 560.0, "hip": 330.0, "sacrum": 230.0}
LEFT_BONE_OFFSET = 90.0  # left limb and girdle bones are denser, which helps a small network to keep the sides apart


def vertebra_hu(short_name: str) -> float:
    """Return the CT number of a vertebra such as "T4"."""
    return BONE_CYCLE[VERTEBRAE.index(short_name) % len(BONE_CYCLE)]


def rib_hu(number: int, side: int) -> float:
    """Return the CT number of rib 1..12; the left side runs half a cycle ahead of the right."""
    return BONE_CYCLE[(number + (3 if side < 0 else 0)) % len(BONE_CYCLE)]


def hu_of(name: str) -> float:
    """Return the CT number of any structure that is neither vertebra nor rib; "_left"/"_right" may follow the stem."""
    stem, left = name.removesuffix("_left").removesuffix("_right"), name.endswith("_left")
    if stem in BONE:
        return BONE[stem] + (LEFT_BONE_OFFSET if left else 0.0)
    return SOFT_TISSUE.get(name, SOFT_TISSUE.get(stem, MUSCLE))
