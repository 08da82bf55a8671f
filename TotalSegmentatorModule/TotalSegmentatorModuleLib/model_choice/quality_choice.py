"""The quality as buttons: 1.5 mm, 3 mm, with what is recommended, and what is known of their time and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.tables.catalogue import CatalogueModel

from TotalSegmentatorModuleLib.model_choice.families import models_by_family, quality_of, spacing_text
from TotalSegmentatorModuleLib.model_choice.recommendation import Recommendation
from TotalSegmentatorModuleLib.model_choices import CATALOGUE
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.segment.plan_text import about_text, gigabytes_text


class QualityChoice:
    """The radio buttons of Inputs.ui, one for each model of the family. ``on_chosen`` gets the model that the user
    chooses."""

    def __init__(self, ui: Widgets, on_chosen: Callable[[str], None]) -> None:
        self._ui = ui
        self._buttons = (ui.fineRadioButton, ui.mediumRadioButton, ui.coarseRadioButton)
        self._models: tuple[CatalogueModel, ...] = ()
        for place, button in enumerate(self._buttons):
            button.connect("clicked(bool)", lambda _checked, place=place: on_chosen(self._models[place].id))

    def show(self, model: str, recommended: Recommendation | None, plans: Mapping[str, Plan]) -> None:
        """``model``: the chosen one; ``plans``: what is known of models of its family, by their ids. The user's own
        folder has no quality to choose."""
        self._models = models_by_family()[CATALOGUE[model].family] if model in CATALOGUE else ()
        for widget in (self._ui.qualityLabel, self._ui.qualityWidget):
            widget.setVisible(bool(self._models))
        best = self._recommended(recommended)
        for place, button in enumerate(self._buttons):
            each = self._models[place] if place < len(self._models) else None
            button.setVisible(each is not None)
            if each is not None:
                button.setText(spacing_text(each) or _("As trained"))
                button.setToolTip(_tool_tip(each))
                button.setChecked(each.id == model)
        hints = [_recommended_text(CATALOGUE[best], recommended)] if best else []
        hints += [_plan_text(each, plans[each.id]) for each in self._models if each.id in plans]
        self._ui.qualityHintLabel.setText(" ".join(hints))
        self._ui.qualityHintLabel.setVisible(bool(hints))

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock the choice while a job runs."""
        for button in self._buttons:
            button.setEnabled(is_enabled)

    def _recommended(self, recommended: Recommendation | None) -> str:
        """Id of the finest model of the recommended quality; empty where there is no choice."""
        if recommended is None or len(self._models) < 2:
            return ""
        return next((each.id for each in self._models if quality_of(each.id) == recommended.quality), "")


def _tool_tip(model: CatalogueModel) -> str:
    return _(
        "{model}. The networks see the CT with voxels of this size: smaller ones are more precise and take longer."
    ).format(model=model.title)


def _recommended_text(model: CatalogueModel, recommended: Recommendation) -> str:
    return _("{spacing} is recommended: {reason}.").format(spacing=spacing_text(model), reason=recommended.reason)


def _plan_text(model: CatalogueModel, plan: Plan) -> str:
    words: Sequence[str] = (
        *((about_text(plan.seconds),) if plan.seconds is not None else ()),
        _("{count} GB of memory").format(count=gigabytes_text(plan.peak_bytes)),
    )
    return _("{spacing} on this CT: {plan}.").format(spacing=spacing_text(model), plan=", ".join(words))
