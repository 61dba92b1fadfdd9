"""Clips made from pristine photos and videos, distorted by known amounts, and rated by what was done to them."""

from .dataset import Synthetic

__all__ = ["Synthetic"]
