"""The web app (extra ``app``)."""
