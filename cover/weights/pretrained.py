"""The start of training from scratch: ImageNet, Kinetics and CLIP backbones, gates and heads with initial values."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cover.weights.keys import CONVNEXT_RULES, SWIN_RULES, rename

SEED = 0  # one for all runs: a file of what was trained says no more than that it started here


def inflated(state: Mapping[str, Tensor], needed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of torchvision's 2-D ConvNeXt in the shapes of our aesthetic backbone.

    Kernels are repeated in time and divided by their length, as in I3D (Carreira and Zisserman, CVPR 2017, section
    2.4.1) and in the official code. A still video then has the features of its frame, but for moments so close to its
    ends that convolutions see the zeros beyond.

    Args:
        state: The file's tensors.
        needed: The model's, by our names.

    Returns:
        The tensors under the file's own names.
    """
    shaped = {}
    for name, tensor in state.items():
        place = needed.get(rename(name, CONVNEXT_RULES))
        if place is not None and (tensor.ndim, place.ndim) == (4, 5):
            length = place.shape[2]
            tensor = tensor[:, :, None].expand(-1, -1, length, -1, -1) / length
        elif name.endswith(".layer_scale"):
            tensor = tensor.flatten()
        shaped[name] = tensor
    return shaped


def forked(state: Mapping[str, Tensor], needed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of torchvision's Video Swin, with the fragment tables that our technical backbone has besides.

    They start as copies of the plain tables, as in FAST-VQA (Wu et al., ECCV 2022, section 4.2): whatever the fragment
    distance, the bias is then the plain one. Arguments and result are those of :func:`inflated`.
    """
    tables = {name: name.replace(".relative_position_bias_table", ".fragment_position_bias_table") for name in state}
    copies = {
        fragment: state[plain]
        for plain, fragment in tables.items()
        if fragment != plain and rename(fragment, SWIN_RULES) in needed
    }
    return {**state, **copies}


def fresh(model: nn.Module, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Initial values of the parts of a model whose names start so, float on the CPU; always the same ones.

    The model may be on the meta device. Torch's own random state is left alone.
    """
    values = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        for path, module in model.named_modules():
            if path.startswith(prefixes) and hasattr(module, "reset_parameters"):
                drawn = copy.deepcopy(module).to_empty(device="cpu")
                drawn.reset_parameters()
                values.update({f"{path}.{name}": tensor for name, tensor in drawn.state_dict().items()})
    return values
