"""A procedural head-to-thigh CT with all 104 structures, for tests that must not depend on patients' data."""

from phantom.phantom import Phantom, PhantomParameters, make_phantom

__all__ = ["Phantom", "PhantomParameters", "make_phantom"]
