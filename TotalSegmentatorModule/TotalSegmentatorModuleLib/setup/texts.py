"""The texts of the set-up's page and section."""

from __future__ import annotations

from html import escape

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.setup import SetupProgressEvent, SetupStep

from TotalSegmentatorModuleLib.setup.plan import ENGINE, PlanItem, SetupPlan
from TotalSegmentatorModuleLib.setup.state import SetupState
from TotalSegmentatorModuleLib.texts.quantities import size_text, time_left_text

_MEGABYTE = 1e6

# -- the page ----------------------------------------------------------------------------------------------------------


def plan_html(plan: SetupPlan) -> str:
    """What will be installed, where, how large, from where, under which licence and for what; as rich text."""
    blocks = [_item_html(item, plan) for item in plan.missing]
    blocks.append(_total_text(plan))
    if plan.device:
        blocks.append(_("Device: {device}.").format(device=escape(plan.device)))
    blocks.append(
        _("For research use; not a medical device. Slicer's Python packages are not changed, and no images are sent.")
    )
    return "".join('<p style="margin-top:0; margin-bottom:6px">{}</p>'.format(block) for block in blocks)


def warnings_text(plan: SetupPlan, sentences: list[str]) -> str:
    """``sentences``, after a warning if the disk has too little space."""
    needed = plan.disk_bytes
    if needed is not None and plan.free_bytes is not None and needed > plan.free_bytes:
        sentences = [_("There is not enough free disk space."), *sentences]
    return "\n\n".join(sentences)


def step_text(event: SetupProgressEvent) -> str:
    """The current step, and what it works on."""
    step = _step_names().get(event.step, _("Working"))
    return _("{step}: {item}").format(step=step, item=event.item) if event.item else step


def amount_text(event: SetupProgressEvent) -> str:
    """Megabytes, speed and time left of a download; empty during other steps."""
    if not event.done_bytes:
        return ""
    done = event.done_bytes / _MEGABYTE
    if event.total_bytes:
        words = [_("{done:.0f} of {total:.0f} MB").format(done=done, total=event.total_bytes / _MEGABYTE)]
    else:
        words = [_("{done:.0f} MB").format(done=done)]
    if event.bytes_per_second:
        words.append(_("{speed:.1f} MB/s").format(speed=event.bytes_per_second / _MEGABYTE))
    left = time_left_text(event.seconds_left)
    return ", ".join([*words, left] if left else words)


def _item_html(item: PlanItem, plan: SetupPlan) -> str:
    folder = plan.engine_folder if item.kind == ENGINE else plan.models_folder
    lines = [
        "<b>{}</b>".format(escape(item.title)),
        _origin_text(item),
        _("Folder: {folder}").format(folder=escape(folder)),
        _("Purpose: {purpose}").format(purpose=escape(item.purpose)),
        _licence_text(item),
        *_publication_texts(item),
    ]
    return "<br/>".join(lines)


def _licence_text(item: PlanItem) -> str:
    if not item.weights_licence:
        return _("Licence: {licence}").format(licence=escape(item.licence))
    return _("Weights: {licence} according to the publisher; the licence of the training data was not checked").format(
        licence=escape(item.weights_licence)
    )


def _publication_texts(item: PlanItem) -> list[str]:
    """What is to be known of a model before it is downloaded."""
    lines = []
    if item.has_no_checksum and item.host:
        lines.append(
            _(
                "No checksum is published: the download uses HTTPS to {host} only, the archive and its labels are "
                "checked, and its SHA-256 is kept and shown"
            ).format(host=escape(item.host))
        )
    if item.is_of_few_images:
        lines.append(_("Trained with few images, according to the publisher"))
    if item.note and item.weights_licence:
        lines.append(escape(item.note))
    if item.citations:
        lines.append(_("Please cite: {citations}").format(citations=escape("; ".join(item.citations))))
    return lines


def _origin_text(item: PlanItem) -> str:
    """Download size, server and disk space, as far as they are known."""
    values = {"size": size_text(item.bytes), "disk": size_text(item.disk_bytes), "host": escape(item.host)}
    if not item.host:
        origin = _("From the offline folder")
    elif item.bytes is None:
        origin = _("Download from {host}, size not published").format(**values)
    else:
        origin = _("{size} download from {host}").format(**values)
    if item.disk_bytes is None:
        return origin
    return _("{origin}; {disk} on disk").format(origin=origin, **values)


def _total_text(plan: SetupPlan) -> str:
    values = {
        "size": size_text(plan.download_bytes),
        "disk": size_text(plan.disk_bytes),
        "free": size_text(plan.free_bytes),
    }
    if plan.disk_bytes is None:
        return _("Free disk space: {free}.").format(**values)
    if plan.download_bytes is None or not any(item.host for item in plan.missing):
        return _("Total: {disk} on disk ({free} free).").format(**values)
    return _("Total: {size} download, {disk} on disk ({free} free).").format(**values)


def _step_names() -> dict[str, str]:
    return {
        SetupStep.CHECKING: _("Checking"),
        SetupStep.DOWNLOADING_PACKAGES: _("Downloading the engine's packages"),
        SetupStep.INSTALLING_PACKAGES: _("Installing the engine's packages"),
        SetupStep.TESTING_ENGINE: _("Testing the engine"),
        SetupStep.DOWNLOADING_MODEL: _("Downloading the model"),
        SetupStep.UNPACKING_MODEL: _("Unpacking the model"),
        SetupStep.CONVERTING_MODEL: _("Converting the model"),
        SetupStep.CHECKING_MODEL: _("Checking the model"),
    }


# -- the section -------------------------------------------------------------------------------------------------------


def state_text(state: SetupState, is_outdated: bool) -> str:
    """The state in one sentence."""
    if state.lacks_chosen_packages:
        return _(
            "The engine is not installed: the folder chosen as own packages does not contain its packages. Choose "
            "another folder, or clear the choice."
        )
    if not state.has_engine:
        return _("The engine is not installed. You can install it when you first click Apply.")
    if is_outdated:
        return _("The engine was installed for another version of this module. Click Update.")
    count = len(state.models) + len(state.own_models)
    if not count:
        return _("The engine is installed. No models are installed yet.")
    if count == 1:
        return _("Ready: the engine and 1 model are installed.")
    return _("Ready: the engine and {count} models are installed.").format(count=count)


def details_text(state: SetupState) -> str:
    """Device, use of the disk and installed models, a line each."""
    lines = []
    if state.device:
        lines.append(_("Device: {device}").format(device=state.device))
    if not state.versions and state.has_engine and not state.lacks_chosen_packages:
        lines.append(_("Packages: your own") if state.has_chosen_packages else _("Packages: from Slicer's Python"))
    model_bytes = state.model_bytes + sum(model.bytes for model in state.own_models)
    if state.engine_bytes or model_bytes:
        lines.append(
            _("Disk use: engine {engine}, models {models}").format(
                engine=size_text(state.engine_bytes), models=size_text(model_bytes)
            )
        )
    lines.append(_("Models: {names}").format(names="; ".join(state.models) if state.models else _("none")))
    lines += [
        _("Your own model: {name}, {size}, in {folder}").format(
            name=model.name, size=size_text(model.bytes), folder=model.folder
        )
        for model in state.own_models
    ]
    lines += [_("Installed in: {folder}").format(folder=folder) for folder in state.folders]
    return "\n".join(lines)


def versions_title(state: SetupState) -> str:
    return _("Details: versions of {count} packages").format(count=len(state.versions))


def versions_text(state: SetupState) -> str:
    """Name and version of each package of the engine; empty where the set-up does not know them."""
    return ", ".join("{} {}".format(*pair) for pair in sorted(state.versions.items()))


def removal_question(state: SetupState) -> str:
    """What is removed by default, and what is kept."""
    question = _(
        "Remove the engine's packages ({engine}) and the downloaded models ({models}) from this computer, with logs "
        "and caches? You will have to install them again before the next segmentation. Your segmentations and "
        "your own presets are kept."
    ).format(engine=size_text(state.engine_bytes), models=size_text(state.model_bytes))
    if not state.own_models:
        return question
    names = "; ".join("{} ({})".format(model.name, size_text(model.bytes)) for model in state.own_models)
    kept = _("Your own models are kept unless you tick them below; they cannot be downloaded again: {names}.").format(
        names=names
    )
    return "{}\n\n{}".format(question, kept)
