"""A run on the workers of a Dask cluster. Dask brings cases to workers; what is done stands in the output folder."""
