"""One DICOM CT series: its headers, the order of its slices, its pixels. Without torch."""
