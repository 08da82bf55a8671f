"""How the libraries say that memory has run out."""

from __future__ import annotations

import torch


def is_out_of_memory(error: Exception) -> bool:
    """torch has a class of its own for GPUs; on the CPU it raises a RuntimeError with a text, as OpenVINO does."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(sign in str(error) for sign in ("allocate memory", "bad_alloc", "out of memory"))
