"""Reviews that outlast a crash: saved beside the results until the scene is saved, offered at the next start."""
