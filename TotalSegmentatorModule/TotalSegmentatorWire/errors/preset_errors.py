"""What can go wrong when structures are chosen by a preset or over all models; a part of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table
from TotalSegmentatorWire.errors.definition import translatable as _

PRESET_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "PRESET_UNKNOWN",
        225,
        _("There is no preset named {name} among {known}; the closest ids are {nearest}."),
        _("Correct the id, or give the file of a preset of your own."),
    ),
    (
        "PRESET_INVALID",
        226,
        _("The file of the preset cannot be used: {detail}."),
        _("Save the preset again from the panel, or correct the file."),
    ),
    (
        "CHOICE_NOTHING_TO_COMPUTE",
        227,
        _("No model finds any of the chosen structures: they are drawn by hand or need a licence."),
        _("Choose other structures, or another preset. The command 'structures' lists what a preset contains."),
    ),
    (
        "CHOICE_MODELS_MISSING",
        228,
        _("Models that the chosen structures need are not installed: {models}."),
        _("Click Apply in the panel to install them, or run the command 'models install' with these ids."),
    ),
    (
        "FAMILY_UNKNOWN",
        229,
        _("There is no family of models named {name}; there are {known}."),
        _("Choose one of: {known}."),
    ),
)
