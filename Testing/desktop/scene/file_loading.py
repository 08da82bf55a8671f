"""``slicer.util.loadVolume`` and ``loadSequence``, which need Slicer's IO manager: with MRML's own storage nodes.

And ``DICOMLib.DICOMUtils``, of which a module calls one function.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import slicer

from desktop.scene import loading


def publish(database: Any) -> None:
    """For a session with this ctkDICOMDatabase."""
    slicer.util.loadVolume = load_volume
    slicer.util.loadSequence = load_sequence
    library, utilities = types.ModuleType("DICOMLib"), types.ModuleType("DICOMLib.DICOMUtils")

    def load_series_by_uid(
        seriesUIDs: list[str],
        messages: list[str] | None = None,
        progressCallback: Any = None,
        enabledPluginClassNames: list[str] | None = None,
    ) -> list[str]:
        """Ids of the loaded volumes, the last of which the slice views show. A series that cannot be read gives none,
        and a message."""
        if not isinstance(seriesUIDs, list) or not seriesUIDs:
            raise ValueError("SeriesUIDs must contain a list")
        volumes = []
        for uid in seriesUIDs:
            files = [Path(file) for file in database.filesForSeries(uid)]
            try:
                volumes.append(loading.load_dicom_files(files, uid))
            except (RuntimeError, ValueError, OSError) as error:
                if messages is not None:
                    messages.append("Could not load: {}".format(error))
        if volumes:
            _show(volumes[-1])
        return [volume.GetID() for volume in volumes]

    utilities.loadSeriesByUID = load_series_by_uid
    library.DICOMUtils = utilities
    slicer.modules.dicomPlugins = {"DICOMScalarVolumePlugin": None}  # by name alone
    sys.modules["DICOMLib"], sys.modules["DICOMLib.DICOMUtils"] = library, utilities


def load_volume(filename: str, properties: dict[str, Any] | None = None) -> Any:
    """Raises RuntimeError where it cannot be read, as ``slicer.util``'s does."""
    node = _read(filename, "vtkMRMLScalarVolumeNode", "vtkMRMLVolumeArchetypeStorageNode")
    node.CreateDefaultDisplayNodes()
    if (properties or {}).get("show", True):
        _show(node)
    return node


def load_sequence(filename: str, properties: dict[str, Any] | None = None) -> Any:
    """With the browser that Slicer's reader makes. Raises RuntimeError."""
    node = _read(filename, "vtkMRMLSequenceNode", "vtkMRMLVolumeSequenceStorageNode")
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", node.GetName() + " browser")
    browser.SetAndObserveMasterSequenceNodeID(node.GetID())
    return node


def _read(filename: str, node_class: str, storage_class: str) -> Any:
    storage = slicer.mrmlScene.AddNewNodeByClass(storage_class)
    storage.SetFileName(str(filename))
    name = Path(filename).name.partition(".")[0]
    node = slicer.mrmlScene.AddNewNodeByClass(node_class, slicer.mrmlScene.GenerateUniqueName(name))
    node.SetAndObserveStorageNodeID(storage.GetID())
    if not Path(filename).is_file() or not storage.ReadData(node):
        for each in (node, storage):
            slicer.mrmlScene.RemoveNode(each)
        raise RuntimeError("Failed to load node from file: {}".format(Path(filename).name))
    return node


def _show(volume: Any) -> None:
    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetActiveVolumeID(volume.GetID())
    logic.PropagateVolumeSelection()
