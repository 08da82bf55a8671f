"""qMRMLNodeComboBox: lists the scene's nodes of some classes, follows the scene, creates and deletes nodes."""

from __future__ import annotations

from typing import Any, ClassVar

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from desktop.pythonqt.slot_runtime import RUNTIME
from desktop.widgets.native_properties import setter, stored

_ACTION = QtCore.Qt.ItemDataRole.UserRole + 1


class _SceneNodes(QtWidgets.QWidget):
    """The nodes of a scene that fit the selector's types and attributes; calls ``_rebuild`` when they change."""

    _added = QtCore.Signal(object)
    _aboutToBeRemoved = QtCore.Signal(object)
    currentNodeRenamed = QtCore.Signal(str)
    nodeTypes = stored("QStringList", "nodeTypes", [], changed="_rebuild")
    showHidden = stored(bool, "showHidden", False, changed="_rebuild")
    showChildNodeTypes = stored(bool, "showChildNodeTypes", True, changed="_rebuild")
    hideChildNodeTypes = stored("QStringList", "hideChildNodeTypes", [], changed="_rebuild")
    setNodeTypes = setter("nodeTypes")
    setShowHidden = setter("showHidden")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._tags: list[int] = []
        self._node: Any = None
        self._attributes: dict[str, dict[str, Any]] = {}
        self._listed: list[Any] = []

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene is not None:
            events = {
                scene.NodeAddedEvent: self._node_added,
                scene.NodeAboutToBeRemovedEvent: self._node_leaving,
                scene.EndImportEvent: self._scene_changed,
                scene.EndCloseEvent: self._scene_changed,
            }
            for event, function in events.items():
                self._tags.append(scene.AddObserver(event, self._guard(function)))
        self.setEnabled(scene is not None)
        self._rebuild()

    def _guard(self, function: Any) -> Any:
        def observe(caller: Any, event: str, node: Any = None) -> None:
            import shiboken6

            if shiboken6.isValid(self):
                RUNTIME.run(function, (node,))

        observe.CallDataType = vtk.VTK_OBJECT  # what vtk.calldata_type sets
        return observe

    def _node_added(self, node: Any) -> None:
        if not self._fits(node) or self._is_switching():
            return
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._guard_name(node))
        self._rebuild()
        self._added.emit(node)

    def _guard_name(self, node: Any) -> Any:
        name = [node.GetName()]

        def renamed(*_: Any) -> None:
            import shiboken6

            if shiboken6.isValid(self) and node.GetName() != name[0]:
                name[0] = node.GetName()
                self._rebuild()
                if node is self._node:
                    self.currentNodeRenamed.emit(name[0] or "")

        return renamed

    def _node_leaving(self, node: Any) -> None:
        if self._is_switching():
            return
        if node is self._node or self._fits(node):
            self._aboutToBeRemoved.emit(node)
            self._rebuild(leaving=node)

    def _is_switching(self) -> bool:
        """Whether the scene is being read or closed: qMRMLSceneModel looks at its nodes again when that is over."""
        return self._scene is not None and (self._scene.IsImporting() or self._scene.IsClosing())

    def _scene_changed(self, _node: Any) -> None:
        """As qMRMLSceneModel::updateScene: all rows go, the current one too, and come again."""
        self._clear_rows()
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if self._fits(node) and not any(node is known for known in self._listed):
                node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._guard_name(node))
        self._rebuild()

    def _fits(self, node: Any) -> bool:
        kinds = self.property("nodeTypes")
        if node is None or not kinds or (node.GetHideFromEditors() and not self.property("showHidden")):
            return False
        exact = not self.property("showChildNodeTypes")
        if any(node.IsA(kind) for kind in self.property("hideChildNodeTypes")):
            return False
        for kind in kinds:
            if node.GetClassName() == kind or (not exact and node.IsA(kind)):
                wanted = self._attributes.get(kind, {})
                return all(
                    node.GetAttribute(key) is not None and (value is None or node.GetAttribute(key) == str(value))
                    for key, value in wanted.items()
                )
        return False

    def _nodes(self, leaving: Any = None) -> list[Any]:
        if self._scene is None:
            return []
        nodes = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
        return [node for node in nodes if node is not leaving and self._fits(node)]

    def addAttribute(self, kind: str, name: str, value: Any = None) -> None:
        self._attributes.setdefault(kind, {})[name] = value
        self._rebuild()

    def removeAttribute(self, kind: str, name: str) -> None:
        self._attributes.get(kind, {}).pop(name, None)
        self._rebuild()

    def _clear_rows(self) -> None:
        raise NotImplementedError

    def _rebuild(self, leaving: Any = None) -> None:
        raise NotImplementedError


class qMRMLNodeComboBox(_SceneNodes):  # noqa: N801 - Slicer's name
    """Selector of one MRML node. As in Slicer it is a QWidget with a combo box inside, not a QComboBox."""

    _nodeChanged = QtCore.Signal(object)
    _validChanged = QtCore.Signal(bool)
    currentNodeIDChanged = QtCore.Signal(str)
    _activated = QtCore.Signal(object)
    _addedByUser = QtCore.Signal(object)
    SIGNAL_NAMES = ("currentNodeChanged", "nodeActivated", "nodeAdded", "nodeAddedByUser", "nodeAboutToBeRemoved")
    SLICER_SIGNALS: ClassVar[dict[str, str]] = {
        "currentNodeChanged(vtkMRMLNode*)": "_nodeChanged",
        "currentNodeChanged(bool)": "_validChanged",
        "nodeActivated(vtkMRMLNode*)": "_activated",
        "nodeAdded(vtkMRMLNode*)": "_added",
        "nodeAddedByUser(vtkMRMLNode*)": "_addedByUser",
        "nodeAboutToBeRemoved(vtkMRMLNode*)": "_aboutToBeRemoved",
    }

    baseName = stored(str, "baseName", "")
    noneEnabled = stored(bool, "noneEnabled", False, changed="_rebuild")
    addEnabled = stored(bool, "addEnabled", True, changed="_rebuild")
    removeEnabled = stored(bool, "removeEnabled", True, changed="_rebuild")
    editEnabled = stored(bool, "editEnabled", False)
    renameEnabled = stored(bool, "renameEnabled", False, changed="_rebuild")
    selectNodeUponCreation = stored(bool, "selectNodeUponCreation", True)
    noneDisplay = stored(str, "noneDisplay", "None", changed="_rebuild")
    interactionNodeSingletonTag = stored(str, "interactionNodeSingletonTag", "")
    sizeAdjustPolicy = stored(int, "sizeAdjustPolicy", 1, changed="_adjust_size")
    setBaseName = setter("baseName")
    setNoneEnabled = setter("noneEnabled")
    setAddEnabled = setter("addEnabled")
    setRemoveEnabled = setter("removeEnabled")
    setEditEnabled = setter("editEnabled")
    setRenameEnabled = setter("renameEnabled")
    setNoneDisplay = setter("noneDisplay")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels: dict[str, str] = {}
        self._was_empty = True
        self._requested: str | None = None  # asked for before there was a scene
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Preferred, policy.Fixed)
        self._combo = QtWidgets.QComboBox(self)  # whose size hint holds the longest name that it has seen
        self._combo.setSizePolicy(policy.Expanding, policy.Expanding)
        self._combo.setFocusProxy(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self._combo.activated.connect(self._picked)
        self._rebuild()

    def _adjust_size(self) -> None:
        policy = QtWidgets.QComboBox.SizeAdjustPolicy(self.property("sizeAdjustPolicy"))
        self._combo.setSizeAdjustPolicy(policy)

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        if scene is not None and self._requested is not None:
            requested, self._requested = self._requested, None
            self.setCurrentNodeID(requested)

    def _clear_rows(self) -> None:
        self._was_empty = True
        self._select(None)

    # -- the list ------------------------------------------------------------------------------------------------------
    def _rebuild(self, leaving: Any = None) -> None:
        if not hasattr(self, "_combo") or self._is_switching():
            return
        nodes = self._listed = self._nodes(leaving)
        row = self._combo.currentIndex()
        self._combo.clear()
        if self.property("noneEnabled"):
            self._combo.addItem(self.property("noneDisplay"), None)
        for node in nodes:
            self._combo.addItem(node.GetName() or "", node.GetID())
        self._add_actions()
        keep = self._node if any(node is self._node for node in nodes) else None
        if keep is None and self._node is not None and self._node is leaving:
            keep = self._neighbour(nodes, row)
        if keep is None and nodes and self._was_empty and not self._has_extra_items():
            keep = nodes[0]  # as every combo box that was empty; one with "none" or actions in it was not
        self._was_empty = not nodes
        self._select(keep)

    def _neighbour(self, nodes: list[Any], row: int) -> Any:
        """The node in the row of one that was removed: QComboBox keeps the row; beyond the nodes there are actions."""
        index = row - 1 if self.property("noneEnabled") else row
        if index >= len(nodes) and not self._has_extra_items():
            index = len(nodes) - 1
        return nodes[index] if 0 <= index < len(nodes) else None

    def _has_extra_items(self) -> bool:
        return any(self.property(key) for key in ("noneEnabled", "addEnabled", "removeEnabled", "renameEnabled"))

    def _add_actions(self) -> None:
        entries = []
        kinds = self.property("nodeTypes")
        if self.property("addEnabled"):
            entries += [(f"Create new {self.nodeTypeLabel(kind)}", f"add:{kind}") for kind in kinds]
        if self.property("renameEnabled"):
            entries.append(("Rename current node", "rename"))
        if self.property("removeEnabled"):
            entries.append(("Delete current node", "remove"))
        if entries:
            self._combo.insertSeparator(self._combo.count())
        for text, action in entries:
            self._combo.addItem(text)
            self._combo.setItemData(self._combo.count() - 1, action, _ACTION)

    def _select(self, node: Any) -> None:
        index = self._combo.findData(node.GetID()) if node is not None else -1
        if node is None and self.property("noneEnabled"):
            index = 0
        self._combo.setCurrentIndex(index)
        if node is self._node:
            return
        self._node = node
        self._nodeChanged.emit(node)
        self._validChanged.emit(node is not None)
        self.currentNodeIDChanged.emit(node.GetID() if node is not None else "")

    def _picked(self, index: int) -> None:
        action = self._combo.itemData(index, _ACTION)
        if not action:
            node_id = self._combo.itemData(index)
            node = self._scene.GetNodeByID(node_id) if node_id else None
            self._select(node)
            self._activated.emit(node)
        elif action.startswith("add:"):
            self.addNode(action.removeprefix("add:"))
        elif action == "remove":
            self.removeCurrentNode()
        else:
            self._select(self._node)

    # -- what scripts call ---------------------------------------------------------------------------------------------
    def currentNode(self) -> Any:
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        if isinstance(node, str):
            self.setCurrentNodeID(node)
            return
        if self._scene is None:
            self._requested = node.GetID() if node is not None else None
        if node is not None and not any(node is known for known in self._listed):
            node = None  # also one of a scene that is still being read
        self._select(node)

    def setCurrentNodeID(self, node_id: str) -> None:
        if self._scene is None:
            self._requested = node_id
            return
        self.setCurrentNode(self._scene.GetNodeByID(node_id) if self._scene is not None and node_id else None)

    def setCurrentNodeIndex(self, index: int) -> None:
        self.setCurrentNode(self.nodeFromIndex(index))

    def nodeFromIndex(self, index: int) -> Any:
        nodes = self._nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    def nodeCount(self) -> int:
        return len(self._nodes())

    def addNode(self, kind: str = "") -> Any:
        """Create a node as the entry "Create new ..." does and select it."""
        kind = kind or self.property("nodeTypes")[0]
        base = self.property("baseName") or self.nodeTypeLabel(kind)
        node = slicer.mrmlScene.CreateNodeByClass(kind)
        node.UnRegister(None)
        node.SetName(self._scene.GenerateUniqueName(base))
        self._scene.AddNode(node)
        if self.property("selectNodeUponCreation"):
            self._select(node)
        self._addedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        if self._node is not None:
            self._scene.RemoveNode(self._node)

    def setNodeTypeLabel(self, label: str, kind: str) -> None:
        self._labels[kind] = label
        self._rebuild()

    def nodeTypeLabel(self, kind: str) -> str:
        return self._labels.get(kind, kind.removeprefix("vtkMRML").removesuffix("Node"))

    currentNodeID = QtCore.Property(
        str, lambda self: self._node.GetID() if self._node is not None else "", setCurrentNodeID
    )
