"""The name under which an export is put where nobody chose one."""

from __future__ import annotations

import re

from TotalSegmentatorWire.identifier_words import IdentifierWords

from TotalSegmentatorModuleLib.export.destination import file_name
from TotalSegmentatorModuleLib.scene.volumes import patient_identifiers


def default_name(segmentation, ct, modality: str) -> str:
    """The name of ``segmentation`` (vtkMRMLSegmentationNode) without what DICOM says of its patient or that of ``ct``,
    as the name of a file without its suffix; it ends in ``modality``, of a DICOM object, or another word.

    Names of files are seen where the patient's data are not: in mails, logs and lists of recent files.
    """
    words = IdentifierWords(identifier for node in (segmentation, ct) for identifier in patient_identifiers(node))
    name = words.replaced(segmentation.GetName() or "", "")
    plain = file_name(re.sub(r"[\s^_,]*([\s^_,])", r"\1", name).strip(" ^_,-\u2013"))
    return "{}_{}".format(plain, modality) if modality else plain
