"""Stand-in for the 3D Slicer desktop application: real MRML (wheel ``slicer-core``) and PySide6 playing PythonQt."""

from desktop.application.graphics import GraphicsLibraryMissingError

__all__ = ["Desktop", "GraphicsLibraryMissingError"]


def _without_graphics(error: GraphicsLibraryMissingError) -> type:
    def refuse(self: object) -> None:
        raise error

    return type("Desktop", (), {"__init__": refuse})


def __getattr__(name: str) -> object:
    if name == "Desktop":  # imported late: `from desktop import Desktop` must not need the GL library, only using it
        try:
            from desktop.application.session import Desktop
        except GraphicsLibraryMissingError as error:
            return _without_graphics(error)
        return Desktop
    raise AttributeError(f"module 'desktop' has no attribute '{name}'")
