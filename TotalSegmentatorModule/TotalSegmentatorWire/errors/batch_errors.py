"""What can go wrong with many CTs: a run over all of them, one CT of it, one of the panel's queue; a part of the table
in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

BATCH_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "BATCH_NOTHING_FOUND",
        120,
        _("There is no CT among the inputs; files passed over: {passed_over}."),
        _("Give folders, files, patterns in quotation marks, or a CSV or JSON list with the column path."),
    ),
    (
        "BATCH_LIST_INVALID",
        121,
        _("The list of CTs {file} cannot be used: {detail}."),
        _("Write a CSV file with the column path and, where a folder holds several CTs, the column series; or JSON."),
    ),
    (
        "BATCH_RECORD_DAMAGED",
        122,
        _("A record in the output folder cannot be read: a file done.json is damaged or of another version."),
        _("Use the newer version of this program, or another output folder; without this file its CT is done again."),
    ),
    (
        "BATCH_PROCESS_DIED",
        123,
        _("The program ended {deaths} times while it segmented this CT."),
        _("Try it alone with the command segment, with fewer structures or a coarser model; it may need more memory."),
    ),
    (
        "BATCH_CLAIM_LOST",
        124,
        _("Another process took this CT over, because this one had stopped for minutes."),
        _("There is nothing to do: the other process finishes it."),
    ),
    (
        "BATCH_PROCESSES_ENDED",
        220,
        _("Processes that segment on the GPUs have ended unexpectedly {count} times."),
        _("Start the same command again to go on; with --device cuda:0 one GPU runs without a process of its own."),
    ),
)

BATCH_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "BATCH_EXPORT_NOT_DICOM",
        _("The CT is not DICOM, so there is no series to which a DICOM file could belong; not written: {formats}."),
        _("If you need them, export this CT into a folder of its own, where the CT is written as DICOM, too."),
    ),
    (
        "BATCH_EXPORT_EMPTY",
        _("No structure was found, so there is nothing to export."),
        _("Look at the CT: it may show another part of the body than the structures you asked for."),
    ),
    (
        "BATCH_EDIT_KEPT",
        _("Somebody had changed the segmentation of an earlier run; it is kept as segmentation.edited.seg.nrrd."),
        _("Use that file if its corrections still count. The exports, the table and the report show the new result."),
    ),
)

QUEUE_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "QUEUE_CT_GONE",
        221,
        _("The CT is not loaded any more, and it is not known from where it came."),
        _("Load it, and add it to the queue again."),
    ),
    (
        "QUEUE_FILE_GONE",
        222,
        _("The file of the CT is not there any more, or it has changed since the CT was added to the queue."),
        _("Load the CT, and add it to the queue again."),
    ),
    (
        "QUEUE_SERIES_NOT_LOADED",
        223,
        _("The DICOM series is not in Slicer's DICOM database any more, or it cannot be loaded as a volume."),
        _("Load it in the DICOM module, and add the volume to the queue."),
    ),
    (
        "QUEUE_FRAMES_FAILED",
        224,
        _("{failed} of {frames} frames of the sequence could not be segmented; the first one is frame {first}."),
        _("The Log says why. Click Queue again to repeat only these frames."),
    ),
)
