"""What the entry points do: build what the config names, run it, say what came out."""
