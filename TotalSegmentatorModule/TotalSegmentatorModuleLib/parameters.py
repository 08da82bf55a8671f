"""The user's choices, kept in the scene: they survive saving and loading it."""

from __future__ import annotations

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

LARGEST_ISLAND_MM3 = 100_000
"""A tenth of a litre: more than any island that one would call noise."""


@parameterNodeWrapper
class SegmentationParameters:
    """
    inputVolume - the CT
    outputSegmentation - segmentation to replace; None makes a new one
    model - model id of the catalogue; empty for the user's own folder
    modelFolder - the user's own nnU-Net v2 model folder
    isModelChosen - False until a model was chosen, so that an installed one can be suggested
    preset - id of the preset that was chosen; empty for none
    structures - comma-separated names; empty for all that the model finds, or none where the preset is "nothing"
    device - auto, cpu, cuda or mps
    isFaster - reduced precision
    isCropped - each network only in the region of its structures
    isSmooth - boundaries are interpolated between the model's voxels
    isLargestPieceOnly - of each structure only the largest connected piece
    smallestIslandMm3 - smaller connected pieces of a structure are removed; 0 removes none
    isPublished - the pipeline exactly as published, for models whose default differs from it
    checksItself - where labels are approximate, some tiles are computed exactly, too
    leastAgreementPercent - of the voxels of structures: below it the job warns that labels are approximate
    hasSecondOpinion - a coarser model runs, too, however long that takes
    reviewSegmentation - the segmentation of the Review section
    exportSegmentation - the segmentation of the Export section
    exportCt - the CT on which it was made
    compareSegmentation - the segmentation that the Compare section compares with something
    compareCt - the CT on which both were made
    compareOther - the segmentation with which it is compared, if it is one of the scene
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputSegmentation: vtkMRMLSegmentationNode
    model: str = ""
    modelFolder: str = ""
    isModelChosen: bool = False
    preset: str = ""
    structures: str = ""
    device: str = "auto"
    isFaster: bool = False
    isCropped: bool = False
    isSmooth: bool = False
    isLargestPieceOnly: bool = False
    smallestIslandMm3: Annotated[int, WithinRange(0, LARGEST_ISLAND_MM3)] = 0
    isPublished: bool = False
    checksItself: bool = True
    leastAgreementPercent: Annotated[float, WithinRange(0, 100)] = 98.0
    hasSecondOpinion: bool = False
    reviewSegmentation: vtkMRMLSegmentationNode
    exportSegmentation: vtkMRMLSegmentationNode
    exportCt: vtkMRMLScalarVolumeNode
    compareSegmentation: vtkMRMLSegmentationNode
    compareCt: vtkMRMLScalarVolumeNode
    compareOther: vtkMRMLSegmentationNode
