"""Work on several threads, each of which lets PyTorch compute on itself alone.

Operators that take less than a millisecond wait for each other's threads longer than they compute, above all where
other programs run beside them; whole parts of the work, side by side, do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

_Part = TypeVar("_Part")


@contextmanager
def one_torch_thread_each() -> Iterator[Callable[[Callable[[_Part], Iterator[None]]], Callable]]:
    """Gives a function that wraps what each thread runs. PyTorch keeps the number of threads for each calling thread,
    and the number set last for threads that are new to it: that one is restored in the end."""
    usual = torch.get_num_threads()

    def alone(make: Callable[[_Part], Iterator[None]]) -> Callable[[_Part], Iterator[None]]:
        def made(part: _Part) -> Iterator[None]:
            torch.set_num_threads(1)
            yield from make(part)

        return made

    try:
        yield alone
    finally:
        torch.set_num_threads(usual)
