"""The department server as the settings of this computer have it: its address, whether it is chosen, who has agreed."""

from __future__ import annotations

from TotalSegmentatorWire.messages.department_server import DepartmentServer

from TotalSegmentatorModuleLib import settings


def stored_server() -> DepartmentServer | None:
    """None while no address is set."""
    address = settings.text(settings.SERVER_ADDRESS)
    if not address:
        return None
    return DepartmentServer(
        address,
        settings.text(settings.SERVER_CA),
        settings.text(settings.SERVER_CERTIFICATE),
        settings.text(settings.SERVER_KEY),
    )


def chosen_server() -> DepartmentServer | None:
    """Where the panel runs segmentations; None: on this computer."""
    return stored_server() if settings.is_on(settings.SERVER_CHOSEN) else None


def is_agreed(address: str) -> bool:
    """Whether the user of this computer has agreed that images go to ``address``."""
    return address in settings.text(settings.SERVER_CONSENT).split()


def agree(address: str) -> None:
    """Remember it; an address has no spaces."""
    settings.set_text(settings.SERVER_CONSENT, settings.text(settings.SERVER_CONSENT) + " " + address)
