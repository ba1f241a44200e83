"""REPORT: what people read of a result: a page, pictures, a STAC item."""
