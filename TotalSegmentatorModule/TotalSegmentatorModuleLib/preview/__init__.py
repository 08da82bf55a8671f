"""The result of the fast model, shown until the fine one takes its place."""
