"""The user's choices, kept in the scene: they survive saving and loading it."""

from __future__ import annotations

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import parameterNodeWrapper

DEVICES = ("auto", "cpu", "cuda", "mps")


@parameterNodeWrapper
class SegmentationParameters:
    """
    inputVolume - the CT
    outputSegmentation - segmentation to replace; None makes a new one
    model - model id of the catalogue; empty for the user's own folder
    modelFolder - the user's own nnU-Net v2 model folder
    isModelChosen - False until a model was chosen, so that an installed one can be suggested
    structures - comma-separated names; empty for all
    device - one of DEVICES
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputSegmentation: vtkMRMLSegmentationNode
    model: str = ""
    modelFolder: str = ""
    isModelChosen: bool = False
    structures: str = ""
    device: str = "auto"
