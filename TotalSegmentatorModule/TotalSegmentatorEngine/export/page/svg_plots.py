"""Plots as SVG elements of a page, which need neither a script nor a font of their own."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "page", "font.family": "sans-serif", "font.size": 8.0}


@contextmanager
def plot_figure(width: float, height: float) -> Iterator[Figure]:
    """A matplotlib figure of this size in inches that needs no window; the style holds within the block."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        yield figure


def svg_element(figure: Figure) -> str:
    """Within the block of ``plot_figure``: an <svg> element as wide as its place, without a date."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    document = stream.getvalue()
    element = re.sub(r"<metadata>.*?</metadata>", "", document[document.index("<svg") :], flags=re.DOTALL)
    head, rest = element.split(">", 1)
    return re.sub(r' (?:width|height)="[^"]*"', "", head) + ">" + rest
