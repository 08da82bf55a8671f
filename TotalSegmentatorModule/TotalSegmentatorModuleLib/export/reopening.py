"""How an object that was exported to Slicer's DICOM database can be opened again.

Slicer's DICOM module loads an object only with a plugin for its modality; without one nothing happens, and nothing is
said. Structure sets need the extension SlicerRT. Segmentations need the extension QuantitativeReporting before Slicer
5.12, which brings their plugin along; either runs a converter of dcmqi. Measurement reports always need
QuantitativeReporting.
"""

from __future__ import annotations

import importlib.metadata

import slicer
from slicer.i18n import tr as _

_STRUCTURE_SET_PLUGIN, _STRUCTURE_SET_MODULE = "DicomRtImportExportPlugin", "dicomrtimportexport"
_SEG_PLUGIN, _SEG_MODULE = "DICOMSegmentationPlugin", "segimage2itkimage"
_REPORT_PLUGIN, _REPORT_MODULE = "DICOMTID1500Plugin", "tid1500reader"
"""Keys of ``slicer.modules.dicomPlugins``, and the modules that do the reading; Slicer 5.12 has a Python package in
place of that of segmentations."""
_SEG_PACKAGE = "dcmqi"


def reopening_text(modality: str) -> str:
    """What this Slicer needs to load a "RTSTRUCT", "SEG" or "SR" of its DICOM database."""
    plugins = getattr(slicer.modules, "dicomPlugins", {})
    if modality == "RTSTRUCT":
        if _STRUCTURE_SET_PLUGIN not in plugins or not hasattr(slicer.modules, _STRUCTURE_SET_MODULE):
            return _("To open it in Slicer, first install the extension SlicerRT.")
    elif modality == "SR":
        if _REPORT_PLUGIN not in plugins or not hasattr(slicer.modules, _REPORT_MODULE):
            return _("To open it in Slicer, first install the extension QuantitativeReporting.")
    elif _SEG_PLUGIN not in plugins:
        return _("To open it in Slicer, first install the extension QuantitativeReporting.")
    elif not hasattr(slicer.modules, _SEG_MODULE) and not _has_package(_SEG_PACKAGE):
        return _("This Slicer cannot open it, because its Python package {name} is missing.").format(name=_SEG_PACKAGE)
    return _("To open it again, load its series in the DICOM module.")


def _has_package(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
