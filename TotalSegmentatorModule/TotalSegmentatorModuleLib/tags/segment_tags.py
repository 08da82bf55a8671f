"""Values with a structure of their own in the tags of segments."""

from __future__ import annotations

import json
import logging
from typing import Any

import vtk


def read_tag(segment, name: str) -> str:
    """The value of a tag of a vtkSegment; empty where it has none."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""


def write_tag(segment, name: str, value: str) -> None:
    """Give a tag of a vtkSegment this value; an empty one removes it. Nobody hears of what stays as it is."""
    if read_tag(segment, name) == value:
        return
    if value:
        segment.SetTag(name, value)
    else:
        segment.RemoveTag(name)


def write_json_tag(segment, name: str, content: Any) -> None:
    """Write ``content`` as JSON in one line.

    In ``.seg.nrrd`` files a ``|`` ends a tag (vtkMRMLSegmentationStorageNode::SetSegmentTagsFromString), so that it is
    written as an escape; in JSON it can only stand inside a string.
    """
    segment.SetTag(name, _line(content))


def read_json_tag(segment, name: str) -> Any:
    """What ``write_json_tag`` wrote; None where there is nothing that can be read."""
    return read_json(read_tag(segment, name))


def write_json_attribute(node, name: str, content: Any) -> None:
    """The same in an attribute of a MRML node; None removes it."""
    if content is None:
        node.RemoveAttribute(name)
    else:
        node.SetAttribute(name, _line(content))


def read_json(text: str | None) -> Any:
    """None for text that is absent or no JSON: somebody may have written into the file by hand."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        logging.warning("A value of a segmentation is no JSON and is passed over")
        return None


def _line(content: Any) -> str:
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")).replace("|", "\\u007c")
