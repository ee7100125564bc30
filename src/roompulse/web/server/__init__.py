"""uvicorn with bounds: the only package that knows its internals."""
