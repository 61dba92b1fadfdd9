"""Clips and stills made from pristine photos and videos, distorted on purpose, and rated by what was done to them."""

from .clips import Synthetic
from .stills import Stills

__all__ = ["Stills", "Synthetic"]
