"""The texts of the table, the chart and the file."""

from __future__ import annotations

from collections.abc import Mapping

from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.figures.measured import Measured
from TotalSegmentatorModuleLib.review.table.texts import kind_title, state_title
from TotalSegmentatorModuleLib.texts.quantities import range_text, volume_text


def table_name(segmentation: str) -> str:
    return _("{segmentation}: volumes and CT numbers").format(segmentation=segmentation)


def chart_name(segmentation: str) -> str:
    return _("{segmentation}: volumes").format(segmentation=segmentation)


def column_titles() -> Mapping[str, str]:
    """Titles of the table's columns, by their names in the node."""
    return {
        "name": _("Structure"),
        "volume_ml": _("Volume (ml)"),
        "usual_ml": _("Published (ml)"),
        "mean_hu": _("Mean HU"),
        "usual_hu": _("Usual HU"),
        "remark": _("Remark"),
        "status": _("Status"),
        "volume_source": _("Source of the published volume"),
        "hu_source": _("Source of the usual HU"),
    }


def cells(each: Measured) -> dict[str, str]:
    """Texts by the names of the columns."""
    row = each.row
    return {
        "name": row.name,
        "volume_ml": "" if row.volume_ml is None else volume_text(row.volume_ml),
        "usual_ml": "" if each.usual_ml is None else range_text(each.usual_ml),
        "mean_hu": "" if row.mean_hu is None else f"{row.mean_hu:.0f}",
        "usual_hu": "" if each.usual_hu is None else range_text(each.usual_hu),
        "remark": kind_title(row.kind),
        "status": state_title(row.state),
        "volume_source": "" if each.usual_ml is None else each.usual_ml.source,
        "hu_source": "" if each.usual_hu is None else each.usual_hu.source,
    }


def series_names() -> Mapping[str, str]:
    """Of the chart's series, as its legend shows them."""
    return {
        "published": _("Published range"),
        "within": _("Within the range"),
        "outside": _("Outside the range"),
        "cut": _("Cut by the scan"),
    }


def volume_axis() -> str:
    return _("Volume (ml)")
