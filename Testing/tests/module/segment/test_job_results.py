"""Finished results that wait for their import: kept, offered, received, declined."""

from __future__ import annotations

import os

import numpy as np
import pytest
from job_support import (
    Application,
    FakeCt,
    expected_labels,
    soft_tissue_with_air,
)
from TotalSegmentatorWire.job_folder import write_owner
from TotalSegmentatorWire.messages.segment import Stage
from TotalSegmentatorWire.process_identity import ProcessIdentity, start_time, this_process


class ImportFailedError(Exception):
    pass


@pytest.fixture
def unimported_result(make_application) -> Application:
    """An application whose import of a result failed."""
    application = make_application()

    def fail(header, labels):
        raise ImportFailedError

    application.listener.on_result = fail
    application.run_job(FakeCt())
    assert application.listener.failures.pop().values == {"kind": "ImportFailedError"}
    del application.listener.on_result
    return application


def test_result_whose_import_failed_is_kept_and_can_be_received(unimported_result):
    header = unimported_result.manager.unimported_results()[0]
    unimported_result.receive(header.job_id)
    unimported_result.run_until_idle()
    assert np.array_equal(unimported_result.listener.results[0][1], expected_labels(soft_tissue_with_air()))
    assert unimported_result.manager.unimported_results() == []
    unimported_result.run_until(lambda: not unimported_result.result_folders())


def test_result_survives_the_end_of_the_application(unimported_result, make_application):
    unimported_result.shutdown()
    later = make_application()
    assert len(later.manager.unimported_results()) == 1


def test_cancelled_import_of_a_result_keeps_it(unimported_result):
    header = unimported_result.manager.unimported_results()[0]
    unimported_result.receive(header.job_id)
    unimported_result.cancel()
    assert unimported_result.listener.cancelled == 1
    assert unimported_result.manager.unimported_results() == [header]


def test_fault_of_the_listener_loses_no_event_and_no_result(make_application, caplog):
    application = make_application()
    tell = application.listener.on_progress

    def stumble(fraction, stage, *rest):
        tell(fraction, stage, *rest)
        if stage == Stage.READING:
            raise ImportFailedError

    application.listener.on_progress = stumble
    application.run_job(FakeCt())
    assert len(application.listener.results) == 1 and not application.listener.failures
    assert "ImportFailedError" in caplog.text


def test_declined_result_is_removed(unimported_result):
    header = unimported_result.manager.unimported_results()[0]
    unimported_result.manager.discard_result(header.job_id)
    unimported_result.run_until(lambda: not unimported_result.result_folders())
    assert unimported_result.manager.unimported_results() == []


def test_damaged_result_is_not_offered(unimported_result):
    labels = unimported_result.result_folders()[0] / "labels.raw"
    labels.write_bytes(labels.read_bytes()[:-1])
    assert unimported_result.manager.unimported_results() == []


def test_result_of_another_running_application_is_not_offered(unimported_result):
    """Its owner is another living process: here the test's parent."""
    parent = ProcessIdentity(os.getppid(), start_time(os.getppid()), this_process().host)
    write_owner(unimported_result.result_folders()[0], parent)
    assert unimported_result.manager.unimported_results() == []
