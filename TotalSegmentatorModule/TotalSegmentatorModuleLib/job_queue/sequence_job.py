"""The job of one frame of a sequence."""

from __future__ import annotations

import slicer

from TotalSegmentatorModuleLib.job_queue.frame_arrival import FrameArrival
from TotalSegmentatorModuleLib.job_queue.queued_ct import QueuedCt
from TotalSegmentatorModuleLib.job_queue.sequences import add_frame_volume


class SequenceJob:
    """Has the frame as a hidden volume in the scene until ``close``."""

    def __init__(self, item: QueuedCt, frame: int, sequence) -> None:
        self.item = item
        self.volume = add_frame_volume(sequence, frame)
        self.arrival = FrameArrival(sequence.GetID(), frame, self.volume, item.target_id, self._on_target)

    def close(self) -> None:
        if slicer.mrmlScene.IsNodePresent(self.volume):
            slicer.mrmlScene.RemoveNode(self.volume)

    def _on_target(self, target_id: str) -> None:
        self.item.target_id = target_id
