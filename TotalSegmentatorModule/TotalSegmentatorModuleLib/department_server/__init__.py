"""The choice to run segmentations on the department server instead of this computer."""
