"""How long things may take in tests.

Times themselves are measured by the benchmarks (Testing/benchmarks). A test bounds one only at ten times the figure: it
also runs on slow and busy machines, and what it must catch (a job that is not stopped, an import that copies every
segment) takes far longer than that.
"""

from __future__ import annotations

_SLACK = 10

READY_SECONDS = 2.0 * _SLACK
"""From Cancel, or from the end of the engine, to a panel that is ready again."""
FIRST_TILE_SECONDS = 1.0 * _SLACK
"""From a second Apply on the same CT to its first tile."""
IMPORT_SECONDS = 0.5 * _SLACK
"""Import, replacement or removal of 104 labels at 512 x 512 x 400."""
BLOCK_SECONDS = 0.05 * _SLACK
"""The longest that the application may be held up by one step of a job."""

LONGEST_FIRST = (
    "test_setup_from_nothing.py",
    "test_setup_offline.py",
    "test_real_ct.py",
    "test_panel_layout.py",
    "test_department_server.py",
    "test_mirrored_ct.py",
    "test_voxels_repaired.py",
    "test_scripts.py",
    "test_memory_strategies.py",
    "test_cancel_moments.py",
    "test_killed_worker.py",
    "test_job_ends.py",
    "test_demo.py",
    "test_panel_scenes.py",
    "test_coarse_localization.py",
    "test_demo_structures.py",
    "test_tile_runners.py",
    "test_rtstruct.py",
    "test_published_pipelines.py",
    "test_setup_commands.py",
    "test_smooth_labels.py",
    "test_listening.py",
    "test_export_section_real.py",
    "test_independent_readers.py",
    "test_planning.py",
    "test_package_store.py",
    "test_export_cropped.py",
    "test_compare_section.py",
    "test_orientation_check.py",
    "test_documented_scripts.py",
    "test_compare_sides.py",
    "test_further_repairs.py",
    "test_export_review_sheet.py",
    "test_compare_pairs.py",
    "test_rerun.py",
)
"""Files that take a quarter of a minute or more. They begin first, where several processes share the files among them,
so that none is left alone with a long one at the end."""
