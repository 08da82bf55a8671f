"""Loads the panel's .ui files, one for each section, and assembles the panel from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import qt
import slicer

from TotalSegmentatorModuleLib.qt_helpers.box_outlines import outline_boxes
from TotalSegmentatorModuleLib.qt_helpers.input_manners import WheelGuard, keep_lists_narrow
from TotalSegmentatorModuleLib.qt_helpers.label_tips import tell_in_labels
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets, add_ui, named_children
from TotalSegmentatorModuleLib.qt_helpers.wrapped_labels import WrappedLabels

_REMARKS = 6
"""Places for remarks on one structure in the Review section; the last one takes those that are left."""


@dataclass(frozen=True)
class PanelWidgets:
    """The widgets of each section. Export and Compare each have their own copy of Task.ui below their choices,
    Review several of ReviewRemark.ui."""

    inputs: Widgets
    unimported: Widgets
    progress: Widgets
    install_page: Widgets
    messages: Widgets
    queue: Widgets
    review: Widgets
    review_remarks: tuple[Widgets, ...]
    review_repair: Widgets
    review_rerun: Widgets
    edit_bar: Widgets
    """Without a place in the panel: it is shown in that of another module."""
    review_figures: Widgets
    review_times: Widgets
    review_edits: Widgets
    export: Widgets
    export_options: Widgets
    export_task: Widgets
    compare: Widgets
    compare_task: Widgets
    compare_table: Widgets
    advanced: Widgets
    early_start: Widgets
    setup: Widgets
    log: Widgets
    notice: Widgets
    """Below the sections: noticeLabel."""
    wrapped_labels: WrappedLabels
    wheel_guard: WheelGuard
    """Works as long as something refers to it."""


def load_panel(resource_path: Callable[[str], str]) -> tuple[Any, PanelWidgets]:
    """The panel (QWidget) with its sections from top to bottom, and their widgets.

    ``resource_path`` gives the path of a file in the module's Resources folder.
    """
    panel = slicer.util.loadUI(resource_path("UI/TotalSegmentatorModule.ui"))
    sections = named_children(panel).sectionsLayout
    # the order of loading is the order in the panel and of the Tab key
    inputs = add_ui(sections, resource_path("UI/Inputs.ui"))
    in_order = (
        *(inputs.structuresLineEdit, inputs.searchLineEdit, inputs.structuresTreeView),
        *(inputs.clearButton, inputs.presetMenuButton, inputs.fineRadioButton),
    )
    for before, after in pairwise(in_order):
        qt.QWidget.setTabOrder(before, after)
    unimported = add_ui(sections, resource_path("UI/UnimportedResults.ui"))
    progress = add_ui(sections, resource_path("UI/Progress.ui"))
    install_page = add_ui(sections, resource_path("UI/InstallPage.ui"))
    messages = add_ui(sections, resource_path("UI/Messages.ui"))
    queue = add_ui(sections, resource_path("UI/Queue.ui"))
    review = add_ui(sections, resource_path("UI/Review.ui"))
    remarks = [add_ui(review.remarksLayout, resource_path("UI/ReviewRemark.ui")) for _number in range(_REMARKS)]
    repair = add_ui(review.remarksLayout, resource_path("UI/ReviewRepair.ui"))
    rerun = add_ui(review.contentLayout, resource_path("UI/ReviewRerun.ui"))
    figures = add_ui(review.contentLayout, resource_path("UI/ReviewFigures.ui"))
    # buttons of two files share a row, as the panel is low and narrow on many screens
    review.buttonsLayout.addWidget(rerun.rerunButton, 2, 2)
    qt.QWidget.setTabOrder(review.aloneButton, rerun.rerunButton)
    figures.figuresButtonsLayout.addWidget(review.sheetButton, 1, 1, 1, 2)
    qt.QWidget.setTabOrder(figures.csvButton, review.sheetButton)
    export = add_ui(sections, resource_path("UI/Export.ui"))
    export_options = add_ui(export.choicesLayout, resource_path("UI/ExportOptions.ui"))
    export_task = add_ui(export.contentsLayout, resource_path("UI/Task.ui"))
    compare = add_ui(sections, resource_path("UI/Compare.ui"))
    compare_task = add_ui(compare.contentsLayout, resource_path("UI/Task.ui"))
    compare_table = add_ui(compare.contentsLayout, resource_path("UI/ComparisonTable.ui"))
    advanced = add_ui(sections, resource_path("UI/Advanced.ui"))
    times = add_ui(advanced.advancedLayout, resource_path("UI/ReviewTimes.ui"))
    early_start = add_ui(advanced.advancedLayout, resource_path("UI/EarlyStart.ui"))
    edits = add_ui(advanced.advancedLayout, resource_path("UI/ReviewEdits.ui"))
    setup = add_ui(sections, resource_path("UI/Setup.ui"))
    log = add_ui(sections, resource_path("UI/Log.ui"))
    keep_lists_narrow(panel)
    outline_boxes(panel)
    tell_in_labels(panel)
    return panel, PanelWidgets(
        inputs=inputs,
        unimported=unimported,
        progress=progress,
        install_page=install_page,
        messages=messages,
        queue=queue,
        review=review,
        review_remarks=tuple(remarks),
        review_repair=repair,
        review_rerun=rerun,
        edit_bar=named_children(slicer.util.loadUI(resource_path("UI/EditBar.ui"))),
        review_figures=figures,
        review_times=times,
        review_edits=edits,
        early_start=early_start,
        export=export,
        export_options=export_options,
        export_task=export_task,
        compare=compare,
        compare_task=compare_task,
        compare_table=compare_table,
        advanced=advanced,
        setup=setup,
        log=log,
        notice=named_children(panel),
        wrapped_labels=WrappedLabels(panel),
        wheel_guard=WheelGuard(panel),
    )


def parameter_widgets(panel) -> dict[str, Any]:
    """The widgets below ``panel`` by parameter, as their property SlicerParameterName says in the .ui files.

    The parameter node's connectGui would search all widgets each time the module is opened.
    """
    widgets = [(widget.property("SlicerParameterName"), widget) for widget in panel.findChildren(qt.QWidget)]
    return {parameter: widget for parameter, widget in widgets if parameter}
