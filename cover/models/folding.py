"""Batch norms folded into the convolutions before them, for inference."""

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_TOLERANCE = 1e-3


@torch.no_grad()
def fold_batch_norms(network: nn.Module, side: int = 64) -> nn.Module:
    """Fold every batch norm that directly follows a convolution into it.

    Pairs are found by running the network on noise: a batch norm whose input is the very tensor of a convolution.
    Where that convolution feeds something else too, as in networks with pre-activation, folding would be wrong: the
    results are compared, and if they differ, the network stays as it is.

    Args:
        network: Takes images, float (B, 3, H, W), and gives tensors. It is left as it is.
        side: Of the noise, in px.

    Returns:
        A copy in evaluation mode that gives the same, or the network itself where nothing can be folded.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    folded = copy.deepcopy(network).eval()
    device = next(network.parameters()).device
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    before = folded(noise)
    for norm, conv in _pairs(folded, noise).items():
        before_it: Any = folded.get_submodule(conv)
        behind: Any = folded.get_submodule(norm)
        _replace(folded, conv, fuse_conv_bn_eval(before_it, behind))
        # timm's batch norms have an activation within.
        rest = [behind.drop, behind.act] if hasattr(behind, "act") else []
        _replace(folded, norm, nn.Sequential(*rest))
    return folded if _alike(before, folded(noise)) else network


def _pairs(network: nn.Module, noise: Tensor) -> dict[str, str]:
    """For each batch norm behind a convolution, by their names, that convolution."""
    made: dict[int, tuple[str, Tensor]] = {}  # with the tensor, so that no other one gets its id
    pairs: dict[str, str] = {}

    def remember(name: str, _: nn.Module, __: Any, result: Tensor) -> None:
        made[id(result)] = name, result

    def look_up(name: str, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        if id(given[0]) in made:
            pairs[name] = made[id(given[0])][0]

    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(partial(remember, name)))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(partial(look_up, name)))
    network(noise)
    for hook in hooks:
        hook.remove()
    return pairs


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)


def _alike(first: Any, second: Any) -> bool:
    pairs = zip(first, second, strict=True) if isinstance(first, (list, tuple)) else [(first, second)]
    return all(torch.allclose(b, a, rtol=_TOLERANCE, atol=_TOLERANCE * float(a.abs().max())) for a, b in pairs)
