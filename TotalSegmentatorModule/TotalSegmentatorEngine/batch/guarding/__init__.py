"""Keeps a run going when its process is ended from within: by a library that crashes, or for want of memory."""
