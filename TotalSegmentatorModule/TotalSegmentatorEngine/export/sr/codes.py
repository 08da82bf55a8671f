"""The coded concepts of a measurement report, each with the context group of PS3.16 that it comes from.

RadElement's common data elements stay out: RDE43 (Unenhanced attenuation, radelement.org, set RDES3 Adrenal Nodule) is
the mean of a region on a CT without contrast medium, and a CT does not say reliably whether it is one.
"""

from __future__ import annotations

from TotalSegmentatorEngine.export.core.codes import Code

# CID 7469, Generic Intensity and Size Measurements
VOLUME = Code("SCT", "118565006", "Volume")
ATTENUATION = Code("DCM", "112031", "Attenuation Coefficient")

# CID 7464, General Region of Interest Measurement Modifiers
MEAN = Code("SCT", "373098007", "Mean")
STANDARD_DEVIATION = Code("SCT", "386136009", "Standard Deviation")
MEDIAN = Code("SCT", "373099004", "Median")
# SNOMED CT's own, of which CID 226 makes values of a population; CID 7464 may be extended
FIFTH_PERCENTILE = Code("SCT", "371888009", "Fifth percentile")
NINETY_FIFTH_PERCENTILE = Code("SCT", "371889001", "Ninety-fifth percentile")

# CID 7462, Units of Volume Measurement, which has no millilitre, and CID 7181
CUBIC_CENTIMETRE = Code("UCUM", "cm3", "cubic centimeter")
HOUNSFIELD_UNIT = Code("UCUM", "[hnsf'U]", "Hounsfield unit")

CT_EXAMINATION = Code("LN", "25045-6", "CT unspecified body region")
"""CID 100, Quantitative Diagnostic Imaging Procedures."""

ARTIFICIAL_INTELLIGENCE = Code("DCM", "123110", "Artificial Intelligence")
"""CID 7162, Surface Processing Algorithm Families."""

COMMENT = Code("DCM", "121106", "Comment")
"""Concept name of a text, for instance in TID 4105."""
