"""What is said about images that leave this computer."""

from __future__ import annotations

from slicer.i18n import tr as _


def leaves_text(address: str) -> str:
    """Always in sight while the server is chosen."""
    return _("The image leaves this computer. It is sent to {address}.").format(address=address)


def job_leaves_text(address: str) -> str:
    """In its place while a script's segmentation runs there and this computer is chosen."""
    return _("The image of the segmentation that is running leaves this computer. It is sent to {address}.").format(
        address=address
    )


def sent_text() -> str:
    """The line below it."""
    return _(
        "Sent: voxels, spacing, position and orientation. Not sent: names, dates, identifiers and other DICOM headers."
    )


def notice_text(is_on_server: bool) -> str:
    """At the end of the panel."""
    if is_on_server:
        return _("For research use; not a medical device.")
    return _("For research use; not a medical device. Nothing leaves this computer.")


def consent_question(address: str) -> str:
    """Once for each address."""
    return _(
        "The image is sent to {address} and leaves this computer: voxels, spacing, position and orientation. Names, "
        "dates, identifiers and other DICOM headers are not sent. Faces can be recognized in a CT of the head.\n\n"
        "Whoever runs that server, or has a certificate for it, can see the image. Send only what your department "
        "allows. You are asked once for this address."
    ).format(address=address)


def not_sent_text() -> str:
    """After "no"."""
    return _("Nothing was sent. To segment without the server, choose 'This computer' under 'Run on'.")
