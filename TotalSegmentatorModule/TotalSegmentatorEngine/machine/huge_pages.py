"""Has the C library ask for huge pages, where the system gives them only to who asks.

A network walks through gigabytes; in pages of 2 MB instead of 4 kB the processor finds memory about a tenth faster.
glibc asks for them only if a variable says so when the program starts (glibc manual, "Memory Allocation Tunables",
glibc.malloc.hugetlb, since 2.35; an older one ignores it), so the program starts once more. Imports next to nothing.
"""

from __future__ import annotations

import os
import sys

_VARIABLE = "GLIBC_TUNABLES"
_TUNABLE = "glibc.malloc.hugetlb"
STATE_FILE = "/sys/kernel/mm/transparent_hugepage/enabled"
"""The kernel marks the state that holds, as in "always [madvise] never" (its admin guide, "Transparent Hugepage
Support")."""
OWN_PROGRAM = "/proc/self/exe"


def restart_with_huge_pages() -> None:
    """Replaces this process by the same program with the same arguments, unless there is nothing to gain.

    Pid, start time and open files stay. Does nothing on a second call, where huge pages are given to all or to none,
    where the user has chosen already, and where there is no Linux.
    """
    chosen = os.environ.get(_VARIABLE, "")
    if not sys.platform.startswith("linux") or _TUNABLE in chosen or not _are_given_on_request():
        return
    os.environ[_VARIABLE] = ":".join(filter(None, [chosen, _TUNABLE + "=1"]))
    try:
        os.execv(OWN_PROGRAM, sys.orig_argv)
    except OSError:  # it runs as well without, only slower
        return


def _are_given_on_request() -> bool:
    try:
        with open(STATE_FILE, encoding="ascii") as stream:  # noqa: PTH123 - pathlib takes longer than the rest
            return "[madvise]" in stream.read()
    except OSError:  # a kernel without them
        return False
