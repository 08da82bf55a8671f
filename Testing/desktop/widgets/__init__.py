"""The CTK and MRML widgets that scripted modules use, as plain Qt widgets."""
