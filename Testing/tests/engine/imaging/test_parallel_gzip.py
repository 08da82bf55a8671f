"""gzip on several threads gives what every reader of gzip takes."""

from __future__ import annotations

import gzip
import io
import zlib

import numpy as np
import pytest
from TotalSegmentatorEngine.imaging.parallel_gzip import write_gzip


@pytest.mark.parametrize("size", [0, 1, (4 << 20) - 1, 4 << 20, (13 << 20) + 5])
def test_one_member_holds_all_parts(size: int) -> None:
    data = np.random.default_rng(0).integers(0, 5, size, dtype=np.uint8)
    stream = io.BytesIO()
    write_gzip(stream, [b"header", memoryview(data)], level=1)
    decompressor = zlib.decompressobj(wbits=31)
    assert decompressor.decompress(stream.getvalue()) == b"header" + data.tobytes()
    assert decompressor.eof and not decompressor.unused_data
    assert gzip.decompress(stream.getvalue()) == b"header" + data.tobytes()


def test_it_can_be_stopped() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_gzip(io.BytesIO(), [bytes(1 << 20)], level=1, check_cancelled=stop)
