"""What is seen of a run while it works: counts of its tasks, Prometheus figures, a page by Dask."""
