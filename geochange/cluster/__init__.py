"""CLUSTER: runs jobs in threads, worker processes or a Dask cluster. It knows nothing of rasters."""
