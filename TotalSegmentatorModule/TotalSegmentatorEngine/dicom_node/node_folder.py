"""The folder of one node, for its user alone (0700)::

DIR/
  node.json     says that the folder is a node's
  node.lock     held by the node that runs
  incoming/     received CTs, a folder for each series
  results/      the output folder of the batch code, a folder for each CT
  outgoing/     marked objects, and what was delivered where
  watched.json  files of the watched folder that were taken
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.imaging.durable_file import read_json, write_json

_KIND = "TotalSegmentatorModule node"


class NodeFolder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.incoming = path / "incoming"
        self.results = path / "results"
        self.outgoing = path / "outgoing"
        self.watched = path / "watched.json"
        self._marker = path / "node.json"

    @property
    def is_node(self) -> bool:
        return (read_json(self._marker) or {}).get("kind") == _KIND

    def prepare(self) -> None:
        """Makes what is missing. A folder with other things in it is refused, as this one's contents get deleted.

        Raises SegmentationError("RECEIVE_FOLDER_UNUSABLE").
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.is_node:
                if any(self.path.iterdir()):
                    raise SegmentationError("RECEIVE_FOLDER_UNUSABLE")
                write_json(self._marker, {"kind": _KIND, "version": 1})
            self.path.chmod(0o700)
            for folder in (self.incoming, self.results, self.outgoing):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SegmentationError("RECEIVE_FOLDER_UNUSABLE") from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder is this process's alone; a killed process lets go of it by itself.

        Raises SegmentationError("RECEIVE_FOLDER_IN_USE").
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / "node.lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout as error:
            raise SegmentationError("RECEIVE_FOLDER_IN_USE") from error
        try:
            yield
        finally:
            lock.release()
