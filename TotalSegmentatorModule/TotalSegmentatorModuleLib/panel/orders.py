"""From the choices in the panel to orders, and what is asked before one is carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.cluster_errors import CLUSTER_ERRORS
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.errors.server_errors import SERVER_ERRORS
from TotalSegmentatorWire.messages.department_server import DepartmentServer
from TotalSegmentatorWire.messages.model_request import ModelRequest

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.department_server.run_on_section import RunOnSection
from TotalSegmentatorModuleLib.department_server.texts import not_sent_text
from TotalSegmentatorModuleLib.panel.advanced_options import AdvancedSection
from TotalSegmentatorModuleLib.panel.inputs import InputsSection
from TotalSegmentatorModuleLib.panel.messages import MessagesSection
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.qt_helpers.questions import confirm_loss
from TotalSegmentatorModuleLib.rerun.arrival import RerunArrival
from TotalSegmentatorModuleLib.scene.ct_source import check_ct
from TotalSegmentatorModuleLib.segment.job_types import JobBusyError
from TotalSegmentatorModuleLib.segment.session import JobOrder, SegmentationSession
from TotalSegmentatorModuleLib.structure_tree.texts import contents_text

_PROBLEMS_OF_A_SERVER = {*CLUSTER_ERRORS, *SERVER_ERRORS, "INTERNAL_ERROR"}
"""Codes that need not come on this computer."""


class Orders:
    """Makes orders and starts them; problems with them are shown.

    ``defer`` keeps an order for which something has to be installed first, and returns whether that is so.
    """

    def __init__(
        self,
        session: SegmentationSession,
        messages: MessagesSection,
        inputs: InputsSection,
        options: AdvancedSection,
        run_on: RunOnSection,
        defer: Callable[[JobOrder], bool],
    ) -> None:
        self._session = session
        self._messages = messages
        self._inputs = inputs
        self._options = options
        self._run_on = run_on
        self._defer = defer
        self._parameters: SegmentationParameters | None = None
        self.last: JobOrder | None = None
        """The order that was started last."""

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        """None while the scene is being closed."""
        self._parameters = parameters

    # -- what the user asks for ----------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Start a job with the choices of the parameter node."""
        contents = self._inputs.chosen_structures_text()
        if self._parameters is None or not self._may_replace(self._inputs.output, contents):
            return
        self._messages.clear()
        try:
            order = self._order(self._inputs.ct, self._inputs.requests(), self._inputs.output)
            check_ct(order.ct)  # before anything is downloaded for it
        except SegmentationError as error:
            self._messages.show_error(error.problem)
            return
        self._start_when_ready(order)

    def possible(self) -> list[JobOrder]:
        """What Apply would start, and the same in the other qualities; none of it where a choice is missing, and where
        another computer would run it. Only while the inputs have no obstacle."""
        if self._parameters is None or self._run_on.server is not None:
            return []
        order = self._order(self._inputs.ct, self._inputs.requests())
        return [replace(order, requests=requests) for requests in self._inputs.possible_requests(order.requests)]

    def for_queue(self) -> JobOrder | None:
        """What is chosen now, for a CT that is named later. None where that is not complete, which is shown."""
        self._messages.hide_error()  # a result stays, with its buttons
        try:
            order = self._order(None, self._inputs.requests())
        except SegmentationError as error:
            self._messages.show_error(error.problem)
            return None
        if not all(request.model for request in order.requests):
            self._messages.show_text(_("Choose the folder of your model."))
            return None
        return order if order.server is None or self.may_send(order.server.address) else None

    def may_send(self, address: str) -> bool:
        """Whether the user agrees that images go to this department server; else that is shown."""
        may_send = self._run_on.may_send(DepartmentServer(address))
        if not may_send:
            self._messages.show_text(not_sent_text())
        return may_send

    def run_again(self, ct, structures: list[str], arrival: RerunArrival) -> None:
        """Some structures of the review, with the model and the options chosen here."""
        self._messages.clear()
        try:
            check_ct(ct)
        except SegmentationError as error:
            self._messages.show_error(error.problem)
            return
        self._start_when_ready(replace(self._order(ct, self._inputs.requests(structures)), arrival=arrival))

    def run_anyway(self) -> None:
        """Repeat the job that was refused for the CT's size."""
        if self._may_repeat():
            self._messages.clear()
            options = replace(self.last.options, accept_size=True)
            self.start_where_chosen(replace(self.last, options=options))

    def run_exactly(self, order: JobOrder) -> None:
        """Repeat a job whose labels were approximate: full precision, and each network over the whole CT."""
        if self._session.is_busy:
            self._messages.show_note(_("A segmentation is running. Click 'Run again exactly' when it is finished."))
            return
        if not self._may_replace(order.output, contents_text(order.requests)):
            return
        self._messages.clear()
        try:
            check_ct(order.ct)
        except SegmentationError as error:
            self._messages.show_error(error.problem)
            return
        options = replace(order.options, precision="exact", crop="whole")
        self._start_when_ready(replace(order, options=options))

    def run_here(self) -> None:
        """Repeat the job with which the department server failed on this computer, which is chosen from now on."""
        if self._may_repeat():
            self._messages.clear()
            self._run_on.choose_this_computer()
            self._start_when_ready(replace(self.last, server=None))

    def start_where_chosen(self, order: JobOrder) -> None:
        """An order from earlier: it runs where the panel says now, not where it would have run then."""
        self._start_when_ready(replace(order, server=self._run_on.server))

    def show_failure(self, problem: Problem) -> None:
        """The job has failed. One with which only the server has trouble can be repeated here."""
        is_own = self.last is not None and self.last is self._session.order  # and not a script's
        is_there = is_own and self.last.server is not None and problem.code in _PROBLEMS_OF_A_SERVER
        self._messages.show_error(problem, can_be_repeated=is_own, offers_this_computer=is_there)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _start_when_ready(self, order: JobOrder) -> None:
        is_allowed = order.server is None or self.may_send(order.server.address)
        if is_allowed and not self._defer(order):
            self._start(order)

    def _start(self, order: JobOrder) -> None:
        self.last = order
        try:
            self._session.apply(order)
        except SegmentationError as error:
            self._messages.show_error(error.problem)
        except JobBusyError as error:
            self._messages.show_text(str(error))

    def _may_repeat(self) -> bool:
        last = self.last
        is_free = last is not None and not self._session.is_busy
        return is_free and self._may_replace(last.output, contents_text(last.requests))

    def _order(self, ct, requests: tuple[ModelRequest, ...], output=None) -> JobOrder:
        """With the device and the options that are chosen."""
        parameters = self._parameters
        return JobOrder(
            ct=ct,
            requests=requests,
            models_folder=settings.models_folder(),
            device=parameters.device,
            output=output,
            options=replace(self._options.options(), preview=self._inputs.wants_preview),
            server=self._run_on.server,
        )

    def _may_replace(self, output, contents: str) -> bool:
        """``contents``: what the result will hold, in words."""
        count = output.GetSegmentation().GetNumberOfSegments() if output is not None else 0
        if not count:
            return True
        question = _(
            "All segments of '{name}' ({count}), including manual edits, are replaced when the result is ready. "
            "Afterwards it contains only: {remains}.\n\n"
            "To keep them, choose 'Create new segmentation' as the output instead."
        ).format(name=output.GetName(), count=count, remains=contents)
        return confirm_loss(question, _("Replace segments?"), _("Replace"))
