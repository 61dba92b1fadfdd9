"""Dataset modules: each reads a dataset's own annotation and yields :class:`cover.rows.Row`.

This package is imported from the repository root and named only by configs; it is not installed, and has nothing to do
with the Hugging Face package of the same name.
"""
