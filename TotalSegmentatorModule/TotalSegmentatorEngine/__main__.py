"""``python -m TotalSegmentatorEngine``, or this file by its path: prepares the process, then runs the command line."""

import os
import sys

if not __package__:  # started by path, as Slicer's side does: the packages lie beside this folder, nothing lies in it
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - imports nothing
# before any other import: a folder of packages chosen in Slicer goes before the interpreter's own
_packages = os.environ.get("TOTALSEGMENTATOR_ENGINE_PACKAGES")
if _packages:
    sys.path.insert(0, _packages)
# Slicer's own ITK readers, found by this variable, must not be loaded into another build of ITK
os.environ.pop("ITK_AUTOLOAD_PATH", None)

from TotalSegmentatorEngine.machine.huge_pages import restart_with_huge_pages  # noqa: E402 - see above

if __name__ == "__main__":
    restart_with_huge_pages()
    from TotalSegmentatorWire.processor_share import give_way

    give_way()  # before a library starts threads
    from TotalSegmentatorSetup.packages.bootstrap import use_installed_engine

    use_installed_engine(sys.argv[1:])
    from TotalSegmentatorEngine.cli.main import main  # only now: before a restart it would be in vain

    sys.exit(main(sys.argv[1:], is_program=True))
