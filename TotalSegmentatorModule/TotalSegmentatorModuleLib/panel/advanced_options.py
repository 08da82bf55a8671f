"""The Advanced section: options that change how a job runs."""

from __future__ import annotations

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.options import JobOptions

from TotalSegmentatorModuleLib.model_choices import CATALOGUE
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets


def published_profile(model: str) -> str | None:
    """Id of the profile that runs ``model`` (an id of the catalogue) as published; None if its default does."""
    if model not in CATALOGUE or CATALOGUE[model].published_profile == CATALOGUE[model].profile:
        return None
    return CATALOGUE[model].published_profile


def chosen_options(parameters: SegmentationParameters) -> JobOptions:
    """The options of a job. The exact published pipeline excludes all options that would change its labels."""
    profile = published_profile(parameters.model) if parameters.isPublished else None
    checks = {
        "second_opinion": "on" if parameters.hasSecondOpinion else "auto",
        "self_check": parameters.checksItself,
        "least_agreement": round(parameters.leastAgreementPercent / 100, 4),
    }
    if profile is not None:
        return JobOptions(profile=profile, **checks)
    return JobOptions(
        precision="reduced" if parameters.isFaster else "auto",
        crop="body" if parameters.isCropped else "none",
        smooth=parameters.isSmooth,
        largest_piece=parameters.isLargestPieceOnly,
        smallest_island_mm3=float(parameters.smallestIslandMm3),
        **checks,
    )


def count_of_choices(options: JobOptions) -> int:
    """How many options differ from their defaults."""
    default = JobOptions().to_json()
    return sum(value != default[name] for name, value in options.to_json().items())


class AdvancedSection:
    """Shows what depends on more than one option. The parameter node connects the widgets themselves
    (SlicerParameterName in Advanced.ui)."""

    def __init__(self, ui: Widgets) -> None:
        self._ui = ui
        # options that the exact published pipeline excludes
        self._changes = (
            ui.fasterCheckBox,
            ui.fasterHelpLabel,
            ui.cropCheckBox,
            ui.cropHelpLabel,
            ui.smoothCheckBox,
            ui.smoothHelpLabel,
            ui.largestPieceCheckBox,
            ui.largestPieceHelpLabel,
            ui.smallestIslandLabel,
            ui.smallestIslandSpinBox,
            ui.smallestIslandHelpLabel,
        )
        self._checks = (
            ui.selfCheckCheckBox,
            ui.selfCheckHelpLabel,
            ui.secondOpinionCheckBox,
            ui.secondOpinionHelpLabel,
        )
        self._parameters: SegmentationParameters | None = None
        self._is_enabled = True
        self.show_parameters()

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        """Show ``parameters`` from now on; None while there is no scene."""
        self._parameters = parameters
        self.show_parameters()

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock the choices while a job runs."""
        self._is_enabled = is_enabled
        self.show_parameters()

    def options(self) -> JobOptions:
        """What is chosen."""
        return chosen_options(self._parameters) if self._parameters is not None else JobOptions()

    def show_parameters(self) -> None:
        """Bring the section up to date with the parameter node."""
        parameters = self._parameters
        has_published = parameters is not None and published_profile(parameters.model) is not None
        is_published = has_published and parameters.isPublished
        self._ui.publishedCheckBox.setVisible(has_published)
        self._ui.publishedHelpLabel.setVisible(has_published)
        self._ui.publishedCheckBox.setEnabled(self._is_enabled)
        self._ui.publishedHelpLabel.setEnabled(self._is_enabled)
        for widget in self._checks:
            widget.setEnabled(self._is_enabled)
        warns = self._is_enabled and (parameters is None or parameters.checksItself)
        self._ui.leastAgreementLabel.setEnabled(warns)
        self._ui.leastAgreementSpinBox.setEnabled(warns)
        for widget in self._changes:
            widget.setEnabled(self._is_enabled and not is_published)
        count = count_of_choices(self.options())
        # options are saved with the scene: a closed section must not hide that some are not at their defaults
        title = _("Advanced ({count} changed)").format(count=count) if count else _("Advanced")
        self._ui.collapsibleButton.text = title
