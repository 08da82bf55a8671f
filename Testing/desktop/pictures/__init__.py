"""Pictures of the slice views and the 3-D view, drawn off screen."""
