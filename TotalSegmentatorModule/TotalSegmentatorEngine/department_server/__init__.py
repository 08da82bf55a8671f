"""Jobs of the panel that run on the department server, a Dask cluster that the department has set up."""
