"""The worker side: reads a CT, runs the networks, writes the labels. By itself: ``python -m TotalSegmentatorEngine``.

It never imports slicer, vtk or qt; torch is imported only by the modules that run networks, after the input is checked.
"""
