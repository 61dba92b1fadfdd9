"""A start for small backbones that are trained from nothing.

The initialisations of the papers are those of wide networks with weeks to train: at a width of 48 a deviation of 0.02
keeps activations so small that every GELU stays in its linear part, and random patch filters see brightness alone.
"""

import torch
from torch import Tensor, nn

_EPSILON = 1e-3  # added to variances, of normalised pixels: components below it stay small
_PATCHES = 200_000


@torch.no_grad()
def fan_in_(backbone: nn.Module) -> None:
    """Initialise the matrices and kernels of a backbone so that each keeps the variance of what it is given.

    Biases, norms, and parameters that are no layer's weight stay as they are.

    Source: LeCun et al., "Efficient BackProp" (1998), section 4.6: a deviation of 1 / sqrt(fan-in).

    Args:
        backbone: The backbone to train; it is drawn from torch's generator.
    """
    for module in backbone.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")


@torch.no_grad()
def whiten_(embedding: nn.Conv2d | nn.Conv3d, videos: Tensor) -> None:
    """Make the filters of a patch embedding the strongest principal components of patches, scaled to variance 1.

    Natural patches are mostly brightness: the difference between a sharp and a blurred picture is a thousandth of their
    variance, and with random filters it takes training long to find it.

    Where there is a bias, half of the outputs are moved up and half down by 1. The LayerNorm that follows divides by
    the energy of a patch: without an offset a faint patch would leave it as a strong one does, and contrast and noise
    in flat areas be lost.

    Source: the first layer of Coates and Ng, "Learning feature representations with k-means" (2012), as Jordan,
    "94% on CIFAR-10 in 3.29 seconds on a single GPU" (2024, arXiv 2404.00498), starts a network with it.

    Args:
        embedding: A convolution whose stride is its kernel, of no more output channels than a patch has values.
        videos: Normalised videos, (B, C, T, H, W); a 2-D embedding sees their frames.

    Raises:
        ValueError: There are more channels than values in a patch.
    """
    kernel, channels = embedding.kernel_size, embedding.out_channels
    patches = videos if isinstance(embedding, nn.Conv3d) else videos.transpose(1, 2).flatten(0, 1)
    for place, size in enumerate(kernel, start=2):
        patches = patches.unfold(place, size, size)
    patches = patches.movedim(1, len(kernel) + 1).flatten(-len(kernel) - 1).flatten(0, -2).double()
    if channels > patches.shape[1]:
        raise ValueError(f"{channels} channels cannot whiten patches of {patches.shape[1]} values")
    patches = patches[:: max(1, len(patches) // _PATCHES)]
    mean = patches.mean(0)
    variances, components = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    strongest = components[:, -channels:].T.flip(0) / (variances[-channels:].flip(0)[:, None] + _EPSILON).sqrt()
    embedding.weight.copy_(strongest.view_as(embedding.weight))
    if embedding.bias is not None:
        signs = torch.ones(channels, dtype=mean.dtype, device=mean.device)
        signs[1::2] = -1
        embedding.bias.copy_(signs - strongest @ mean)
