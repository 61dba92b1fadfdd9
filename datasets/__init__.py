"""Dataset modules: each reads a dataset's own annotation and yields :class:`cover.rows.Row`.

They are named by configs only, as ``cover.datasets.*`` (``cover/datasets`` points here); the package has nothing to do
with the one of Hugging Face.
"""
