"""The voxel order in which a model was trained, as it is stored with a user's own model.

nnU-Net's plain image readers (SimpleITKIO, NibabelIO) give the network the voxels as they lie in the file, and no file
of a model records in which order they lay in the training images. A model folder that was added here may say so in its
dataset.json, where nnU-Net ignores keys that it does not know.
"""

from __future__ import annotations

from itertools import permutations, product

VOXEL_ORDER_KEY = "totalsegmentator_module_orientation"
"""In dataset.json."""
CANONICAL = "RAS"
CANONICAL_READERS = frozenset(["NibabelIOWithReorient", "SimpleITKIOWithReorient"])
"""Of nnU-Net's image readers those that turn every image to RAS (nnunetv2 2.8.1, imageio)."""
AS_IN_FILE = "file"
"""The network gets each image in the order of its file: it was trained with images in all the orders it will see."""

_DIRECTIONS = ("RL", "AP", "SI")
ORIENTATIONS = tuple(
    "".join(letters)
    for axes in permutations(_DIRECTIONS)
    for letters in sorted(product(*axes), key=lambda letters: sum("RAS".find(letter) < 0 for letter in letters))
)
"""All 48: the directions towards which columns, rows and slices (i, j, k) grow, as nibabel's ``aff2axcodes`` and
SimpleITK's ``DICOMOrient`` name them. Axial orders come first."""


def voxel_order(text: str) -> str:
    """What ``text`` means in any case of letters. Raises ValueError for anything else."""
    if text.lower() == AS_IN_FILE:
        return AS_IN_FILE
    if text.upper() not in ORIENTATIONS:
        raise ValueError(text)
    return text.upper()
