"""Makes and writes surface meshes."""
