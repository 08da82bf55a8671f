"""Stand-in for the 3D Slicer desktop application: real MRML (wheel ``slicer-core``) and PySide6 playing PythonQt."""

from .graphics import GraphicsLibraryMissingError

__all__ = ["Desktop", "GraphicsLibraryMissingError"]


def __getattr__(name: str) -> object:
    if name == "Desktop":  # imported late: `import desktop` alone must not need the GL library
        from .application import Desktop

        return Desktop
    raise AttributeError(f"module 'desktop' has no attribute '{name}'")
