"""Whether a preview is shown first: the check box below the quality."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.preview_models import preview_models
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.plan import PREVIEW, Plan
from TotalSegmentatorWire.tables.catalogue import CatalogueModel

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets

WORTH_SECONDS = 60.0
"""A job that is ready in less than that needs no preview."""
_ON, _OFF = "on", "off"


class PreviewChoice:
    """previewCheckBox of Inputs.ui. Unless the user has ticked or cleared it, which is remembered on this computer, a
    preview is shown where the fast model is installed and the job is not known to be short."""

    def __init__(self, ui: Widgets, on_changed: Callable[[], None]) -> None:
        """``on_changed``: called when the user has ticked or cleared the box, or what became known of the job has."""
        self._on_changed = on_changed
        self._box = ui.previewCheckBox
        self._is_enabled = True
        self._obstacle = ""
        self._models: tuple[CatalogueModel, ...] = ()
        self._job: tuple = ()
        self._is_short = False
        """Whether ``_job`` is known to need no preview. That stays so: without a preview the plan may differ a bit."""
        self._box.connect("clicked(bool)", self._on_clicked)

    @property
    def is_wanted(self) -> bool:
        return not self._obstacle and self._box.checked

    def show(
        self,
        ct_id: str,
        requests: Sequence[ModelRequest],
        installed: Collection[str],
        is_on_server: bool,
        plan: Plan | None,
    ) -> None:
        """``ct_id``, ``requests``: what would run, on which node; ``plan``: what is known of it."""
        was_wanted, was_job = self.is_wanted, self._job
        self._job = (ct_id, tuple(requests))
        self._is_short = _is_short(plan) or (self._is_short and self._job == was_job)
        fast = tuple(preview_models(requests).values())
        self._models = tuple(model for model in fast if model.id in installed)
        self._obstacle = "" if self._models else _obstacle(requests, fast)
        if is_on_server:
            self._obstacle = _("The department server sends nothing but the finished result.")
        self._show()
        if self.is_wanted != was_wanted:
            self._on_changed()

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock the choice while a job runs."""
        self._is_enabled = is_enabled
        self._show()

    def _show(self) -> None:
        self._box.setEnabled(self._is_enabled and not self._obstacle)
        self._box.setToolTip(self._obstacle or _tool_tip(self._models))
        self._box.setChecked(not self._obstacle and self._is_chosen)

    @property
    def _is_chosen(self) -> bool:
        chosen = settings.text(settings.PREVIEW)
        return chosen == _ON if chosen else not self._is_short

    def _on_clicked(self, is_checked: bool) -> None:
        settings.set_text(settings.PREVIEW, _ON if is_checked else _OFF)
        self._on_changed()


def _is_short(plan: Plan | None) -> bool:
    if plan is None or plan.seconds is None:
        return False
    of_preview = sum(planned.seconds or 0.0 for planned in plan.passes if planned.purpose == PREVIEW)
    return plan.seconds - of_preview <= WORTH_SECONDS


def _obstacle(requests: Sequence[ModelRequest], fast: Sequence[CatalogueModel]) -> str:
    if not requests:
        return _("Choose structures first.")
    if not fast:
        return _("Nothing that is chosen has a quicker model that could be shown first.")
    return _("To see a preview, segment once with '{model}', which installs it.").format(model=fast[0].title)


def _tool_tip(models: Sequence[CatalogueModel]) -> str:
    return _(
        "What '{model}' finds is shown first, marked as a preview, while the finer networks run. The fine result then "
        "takes its place; if you have drawn in the preview, it is kept beside it."
    ).format(model=", ".join(model.title for model in models))
