"""``slicer.parameterNodeWrapper``: typed access to a ``vtkMRMLScriptedModuleNode`` and its connection to widgets.

An implementation of its own with the behaviour of Slicer 5.12's: same names in the node,
same annotations, same widgets.
Not covered: ``parameterPack``, ``typing.Any``, ``qt.QColor``, GUI creation.
"""

from desktop.parameter_node.annotations import (
    Choice,
    Decimals,
    Default,
    Exclude,
    IsInstance,
    Maximum,
    Minimum,
    NotNone,
    SingleStep,
    Validator,
    WithinRange,
    findFirstAnnotation,
    splitAnnotations,
    unannotatedType,
)
from desktop.parameter_node.connectors import GuiConnector, createGuiConnector, parameterNodeGuiConnector
from desktop.parameter_node.wrapper import (
    SlicerParameterNamePropertyName,
    findChildWidgetForParameter,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "GuiConnector",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "createGuiConnector",
    "findChildWidgetForParameter",
    "findFirstAnnotation",
    "isParameterNodeWrapper",
    "parameterNodeGuiConnector",
    "parameterNodeWrapper",
    "splitAnnotations",
    "unannotatedType",
]
