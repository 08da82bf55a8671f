"""Segments CTs into more than a hundred anatomical structures with nnU-Net, in a process of its own.

Slicer reads this file at every start, for everybody. So it imports our own packages, and what they need, only when
somebody opens the module, calls its logic or loads a scene with one of its results.
"""

import sys
import unittest
from pathlib import Path

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

# >>> SAMPLE DATA: what the tutorial uses, with address, checksum and licence.
# CTLiver is imagesTr/liver_100 of Task03_Liver of the Medical Segmentation Decathlon (medicaldecathlon.com), licence
# CC BY-SA 4.0, in the data store of Slicer, whose own module Sample Data has it too (SampleData.py, Slicer 5.10).
SAMPLES = (
    {
        "sampleName": "CT abdomen (CC BY-SA 4.0)",
        "uris": "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"
        "e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e",
        "checksums": "SHA256:e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e",
        "fileNames": "CTLiver.nrrd",
        "nodeNames": "CT abdomen",
    },
)
# <<< SAMPLE DATA
SAMPLE_CATEGORY = "TotalSegmentator CT"
_AFTER_SELECTORS = -10.0
"""Priority of an observer that is called when the selectors, whose priority is 0, have listed the scene's nodes."""
_OWN_PACKAGES = ("TotalSegmentatorModuleLib", "TotalSegmentatorSetup", "TotalSegmentatorWire")


def registerSampleData():
    """Add what the tutorial uses to Slicer's module Sample Data; without that module (a custom Slicer) nothing."""
    try:
        import SampleData
    except ImportError:
        return
    thumbnail = Path(__file__).with_name("Resources") / "SampleData" / "ct_abdomen.png"
    for sample in SAMPLES:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=SAMPLE_CATEGORY, thumbnailFileName=str(thumbnail), **sample
        )


def _application_lifetime():
    from TotalSegmentatorModuleLib.scene.segmentation_lifetime import application_lifetime

    return application_lifetime()


class TotalSegmentatorModule(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("TotalSegmentator CT")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "SubjectHierarchy"]
        self.parent.contributors = ["TotalSegmentatorModule developers"]
        self.parent.helpText = _("""
Segments more than a hundred anatomical structures in a CT into one editable segmentation.
Choose a CT and click Apply. You can keep working while a background process runs the segmentation.
No image leaves this computer unless you choose your department's server. For research use; not a medical device.
""")
        self.parent.acknowledgementText = _("""
Please cite the method when you publish results:
Wasserthal J. et al., TotalSegmentator: Robust Segmentation of 104 Anatomic Structures in CT Images.
Radiology: Artificial Intelligence 2023. doi:10.1148/ryai.230024.
Isensee F. et al., nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation.
Nature Methods 2021. doi:10.1038/s41592-020-01008-z.
The sample CT is imagesTr/liver_100 of the Medical Segmentation Decathlon (medicaldecathlon.com), licence CC BY-SA 4.0.
""")
        # a scene may hold results of an earlier session although the panel is never opened
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self):
        registerSampleData()
        scene = slicer.mrmlScene
        scene.AddObserver(scene.NodeAddedEvent, self.onNodeAdded)
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):  # of files named on the command line
            self.onNodeAdded(scene, scene.NodeAddedEvent, node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller, event, node):
        """Watch how results come from a file and how they leave the scene, from the first one on."""
        if node.IsA("vtkMRMLSegmentationNode"):
            from TotalSegmentatorModuleLib.tags.result_mark import is_result

            if is_result(node):
                _application_lifetime().start(caller)


class TotalSegmentatorModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Wires the panel to Slicer: scene, parameter node, application."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.ui = None
        self.parameterWidgets = {}
        self.panel = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        from TotalSegmentatorModuleLib.panel.module_panel import Panel
        from TotalSegmentatorModuleLib.panel.widgets import load_panel, parameter_widgets

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget, self.ui = load_panel(self.resourcePath)
        self.layout.addWidget(uiWidget)
        self.parameterWidgets = parameter_widgets(uiWidget)
        self.logic = TotalSegmentatorModuleLogic()
        self.panel = Panel(self.ui, self.logic.makeSession)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        for event in (scene.StartImportEvent, scene.StartRestoreEvent):  # no StartCloseEvent comes with them
            self.addObserver(scene, event, self.onSceneStartChange)
        for event in (scene.EndCloseEvent, scene.EndImportEvent, scene.EndRestoreEvent):
            self.addObserver(scene, event, self.onSceneEndChange, priority=_AFTER_SELECTORS)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self.onNodeRemoved)
        self.initializeParameterNode()
        if self.parent.isEntered:  # a reload, after which Slicer does not call enter()
            self.panel.enter()

    def cleanup(self):
        """The application quits or the module is reloaded: stop everything, also after a setup that has failed."""
        if self.panel is not None:
            self.panel.close()
            self.setParameterNode(None)
        elif self.logic is not None:
            self.ui.wrapped_labels.close()
            self.logic.close()
        self.removeObservers()

    def enter(self):
        if self.panel is None:  # setup has failed and said why
            return
        self.initializeParameterNode()
        self.panel.enter()

    def exit(self):
        """Stop following the parameter node; a running job continues."""
        self.panel.exit()
        self.disconnectParameterNode()

    def onReload(self):
        """Reload our packages with the module, which Slicer's Reload does not do."""
        if self.panel is not None:
            self.panel.close()
        _application_lifetime().stop()
        for name in [name for name in sys.modules if name.split(".")[0] in _OWN_PACKAGES]:
            del sys.modules[name]  # so that the module's file imports them again
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event):
        self.panel.scene_closing()
        self.setParameterNode(None)

    def onSceneStartChange(self, caller, event):
        """Nodes come and go: what the selectors show meanwhile must not become a choice."""
        self.setParameterNode(None)

    def onSceneEndChange(self, caller, event):
        """The scene was closed, read, or restored from a scene view."""
        if self.parent.isEntered:
            self.initializeParameterNode()
            self.panel.enter()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller, event, node):
        if node.IsA("vtkMRMLScalarVolumeNode"):
            qt.QTimer.singleShot(0, self.onVolumesChanged)  # its voxels follow

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, caller, event, node):
        self.panel.node_removed(node.GetID())

    def onVolumesChanged(self):
        if self._parameterNode:
            self.panel.volumes_changed()

    def initializeParameterNode(self):
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode):
        """Show the choices of ``parameterNode`` (SegmentationParameters or None) and follow them."""
        self.disconnectParameterNode()
        self._parameterNode = parameterNode
        if self._parameterNode:
            self._parameterNodeGuiTag = self._parameterNode.connectParametersToGui(self.parameterWidgets)
            # the node: the mixin would keep a wrapper for ever, and every wrapper reads all parameters at each change
            node = self._parameterNode.parameterNode
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self.panel.set_parameters(self._parameterNode)

    def disconnectParameterNode(self):
        if self._parameterNode and self._parameterNodeGuiTag is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None
            node = self._parameterNode.parameterNode
            self.removeObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)

    def onParametersModified(self, caller=None, event=None):
        self.panel.parameters_changed()


class TotalSegmentatorModuleLogic(ScriptedLoadableModuleLogic):
    """Segmentation and export for scripts, from Slicer's main thread::

        logic = slicer.util.getModuleLogic("TotalSegmentatorModule")
        segmentation = logic.process(slicer.util.getNode("CT"), structures=["liver", "spleen"])
        logic.export(segmentation, "rtstruct", "/data/rs.dcm")
        logic.close()

    With the panel it is the panel's logic, which then shows what a script runs. Paths may be str or Path.
    """

    def __init__(self):
        from TotalSegmentatorModuleLib.scripting.interface import ScriptInterface

        ScriptedLoadableModuleLogic.__init__(self)
        self._scripting = ScriptInterface()
        _application_lifetime().start(slicer.mrmlScene)

    def getParameterNode(self):
        from TotalSegmentatorModuleLib.parameters import SegmentationParameters

        return SegmentationParameters(super().getParameterNode())

    def makeSession(self, callbacks):
        """The one session of this logic, which calls ``callbacks`` (job_types.JobCallbacks)."""
        return self._scripting.make_session(callbacks)

    def process(self, ct, output=None, structures=None, model=None, wait=True, **options):
        """Segment ``ct`` (vtkMRMLScalarVolumeNode); returns the vtkMRMLSegmentationNode with the result.

        ``output``: vtkMRMLSegmentationNode whose segments are replaced without asking; None makes a new one.
        ``structures``: names, None for all. ``model``: id of the catalogue or path of a model folder; None for the one
        that the panel suggests. ``wait=False`` returns None at once; ``wait()`` then gives the result.
        ``options``: in place of ``model`` a ``preset`` (id or file; with ``structures`` these as well), ``quality``
        (fine, fast) and ``prefer`` (family), which choose the models that find the structures; ``device`` (auto, cpu,
        cuda, mps), ``models_folder``, and the fields of JobOptions (runtime, precision, crop, profile, smooth,
        largest_piece, smallest_island_mm3, second_opinion, preview, self_check, least_agreement).
        ``run_on="server"`` sends the image, without asking, to the department server that the settings name, whatever
        the panel shows.

        Raises SegmentationError, whose ``code`` is one of those in docs/command-line.md; JOB_RUNNING while a
        segmentation runs, ENGINE_MISSING, MODEL_MISSING and CHOICE_MODELS_MISSING where something has to be installed
        first.
        """
        from TotalSegmentatorModuleLib.scripting.segmentation_order import segmentation_order

        self._scripting.start(segmentation_order(ct, output, structures, model, **options))
        return self.wait() if wait else None

    def wait(self):
        """Wait for the segmentation that ``process`` started; returns and raises what that does. Slicer's events are
        processed meanwhile."""
        return self._scripting.wait()

    @property
    def is_busy(self):
        """Whether a segmentation runs."""
        return self._scripting.is_busy

    def cancel(self):
        """Stop the segmentation that runs; the scene is not changed. ``wait`` then raises CANCELLED."""
        self._scripting.cancel()

    def export(self, segmentation, to, path, **options):
        """Write ``segmentation`` (vtkMRMLSegmentationNode) to files; returns their paths. Nothing is replaced: a name
        that exists gets a number.

        ``to``: rtstruct, seg, sr, nrrd, nifti, stl, ply, obj, gltf or volumes. ``path``: a folder, or a file with the
        format's suffix. ``options``: ``ct``, if it is not the segmentation's reference volume; ``structures`` (ids or
        names), ``states`` (unreviewed, edited, approved, needs-attention, rejected; by default all but rejected),
        ``template`` or ``preset``, ``names``, ``external``, ``set_label``, ``encoding``, ``holes``,
        ``smooth_contours``, ``smallest_island``, ``space``, ``observer``, ``seg`` as on the command line,
        ``add_to_database``.

        Raises SegmentationError; ValueError for a choice that does not exist.
        """
        from TotalSegmentatorModuleLib.scripting.export_choices import export_order

        return self._scripting.export(export_order(segmentation, to, path, **options))

    def close(self):
        """End the segmentation that runs, and the background process; the next ``process`` starts a new one."""
        self._scripting.close()


class TotalSegmentatorModuleTest(ScriptedLoadableModuleTest):
    """Runs in every Slicer, without network, also by *Reload and Test*. The segmentation of a phantom is skipped, with
    the reason, where the demo model or the engine's packages are not on the computer."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        for test in (
            self.test_import_of_all_structures,
            self.test_parameters_survive,
            self.test_sample_data_are_registered,
            self.test_demo_segmentation,
        ):
            self.setUp()
            try:
                test()
            except unittest.SkipTest as skipped:  # what unittest handles itself where it runs the tests one by one
                self.delayDisplay(str(skipped))

    def test_import_of_all_structures(self):
        from TotalSegmentatorModuleLib.self_test import check_import_of_all_structures

        check_import_of_all_structures(self)

    def test_parameters_survive(self):
        from TotalSegmentatorModuleLib.self_test import check_parameters_survive

        check_parameters_survive(self, TotalSegmentatorModuleLogic())

    def test_sample_data_are_registered(self):
        from TotalSegmentatorModuleLib.self_test import check_sample_data

        check_sample_data(self, SAMPLES)

    def test_demo_segmentation(self):
        from TotalSegmentatorModuleLib.demo_check import check_demo_segmentation

        check_demo_segmentation(self, TotalSegmentatorModuleLogic())
