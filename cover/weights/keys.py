"""Names in other people's files, and ours: the one map between them.

COVER's names are those of the state dict that github.com/taco-group/COVER builds (commit 7373bee), CLIP's those of
OpenAI's ViT-L/14; shapes are the same on both sides there. The names of what training from scratch starts from are
torchvision's (``convnext_tiny`` and ``swin3d_t``).
"""

import re
from collections.abc import Callable, Sequence

IMAGE_TOWER = "backbones.semantic.visual."  # our names that a CLIP file fills and COVER.pth does not

Rule = tuple[str, str | Callable[[re.Match[str]], str]]

# Substitutions, made one after the other on the result of those before.
COVER_RULES: Sequence[Rule] = (
    # Video Swin: torchvision keeps stages (even places) and the patch mergings between them (odd places) in one list.
    (r"^technical_backbone\.", r"backbones.technical."),
    (r"^(backbones\.technical)\.layers\.(\d+)\.blocks\.", lambda m: f"{m[1]}.features.{2 * int(m[2])}."),
    (r"^(backbones\.technical)\.layers\.(\d+)\.downsample\.", lambda m: f"{m[1]}.features.{2 * int(m[2]) + 1}."),
    (r"^(backbones\.technical\..+\.mlp)\.fc1\.", r"\1.0."),
    (r"^(backbones\.technical\..+\.mlp)\.fc2\.", r"\1.3."),
    # ConvNeXt: officially the stem is the first of four downsamplings.
    (r"^aesthetic_backbone\.downsample_layers\.0\.0\.", r"backbones.aesthetic.stem.conv."),
    (r"^aesthetic_backbone\.downsample_layers\.0\.1\.", r"backbones.aesthetic.stem.norm."),
    (
        r"^aesthetic_backbone\.downsample_layers\.(\d+)\.([01])\.",
        lambda m: f"backbones.aesthetic.downsamples.{int(m[1]) - 1}.{('norm', 'conv')[int(m[2])]}.",
    ),
    (r"^aesthetic_backbone\.", r"backbones.aesthetic."),
    (r"^(backbones\.aesthetic\.stages\..+)\.dwconv\.", r"\1.depthwise."),
    (r"^(backbones\.aesthetic\.stages\..+)\.pwconv([12])\.", r"\1.mlp.fc\2."),
    # Cross gates.
    (r"^smtc_gate_tech\.", r"gates.technical."),
    (r"^smtc_gate_aesc\.", r"gates.aesthetic."),
    (r"^(gates\.\w+)\.Conv_0\.", r"\1.semantic_proj."),
    (r"^(gates\.\w+)\.Conv_1\.", r"\1.branch_proj."),
    (r"^(gates\.\w+)\.in_project_x\.", r"\1.gate_proj."),
    (r"^(gates\.\w+)\.out_project_y\.", r"\1.out_proj."),
    # Heads.
    (r"^(semantic|technical|aesthetic)_head\.fc_hid\.", r"heads.\1.hidden."),
    (r"^(semantic|technical|aesthetic)_head\.fc_last\.", r"heads.\1.score."),
)

CLIP_RULES: Sequence[Rule] = ((r"^visual\.", IMAGE_TOWER),)

CONVNEXT_RULES: Sequence[Rule] = (
    # torchvision keeps the stem (place 0), stages (odd places) and the downsamplings between them in one list.
    (r"^features\.0\.([01])\.", lambda m: f"backbones.aesthetic.stem.{('conv', 'norm')[int(m[1])]}."),
    (
        r"^features\.(\d*[02468])\.([01])\.",
        lambda m: f"backbones.aesthetic.downsamples.{int(m[1]) // 2 - 1}.{('norm', 'conv')[int(m[2])]}.",
    ),
    (r"^features\.(\d+)\.(\d+)\.", lambda m: f"backbones.aesthetic.stages.{int(m[1]) // 2}.{m[2]}."),
    (r"^(backbones\.aesthetic\.stages\..+)\.block\.0\.", r"\1.depthwise."),
    (r"^(backbones\.aesthetic\.stages\..+)\.block\.2\.", r"\1.norm."),
    (r"^(backbones\.aesthetic\.stages\..+)\.block\.3\.", r"\1.mlp.fc1."),
    (r"^(backbones\.aesthetic\.stages\..+)\.block\.5\.", r"\1.mlp.fc2."),
    (r"^(backbones\.aesthetic\.stages\..+)\.layer_scale$", r"\1.gamma"),
    (r"^classifier\.0\.", r"backbones.aesthetic.norm."),
)

SWIN_RULES: Sequence[Rule] = ((r"^(patch_embed|features|norm)\.", r"backbones.technical.\1."),)

# What the files are known to have and inference does not use, so it is not worth a line to the user.
COVER_UNUSED = re.compile(
    r"semantic_backbone\.prompt_learner\..+"  # learned text prompts: the scores come from the image tower alone
    r"|technical_backbone\..+\.relative_position_index"  # integers that follow from the window size
)
CLIP_UNUSED = re.compile(
    r"visual\.positional_embedding"  # COVER runs the tower without it, at 512 x 512
    # the text tower, and the sizes OpenAI's archive carries beside it
    r"|(transformer|token_embedding|ln_final|text)\..+"
    r"|positional_embedding|text_projection|logit_scale|logit_bias|attn_mask"
    r"|input_resolution|context_length|vocab_size"
)
CONVNEXT_UNUSED = re.compile(r"classifier\.2\..+")  # ImageNet's classes
SWIN_UNUSED = re.compile(r"head\..+|.+\.relative_position_index")  # the classes of Kinetics; as in COVER.pth


def rename(name: str, rules: Sequence[Rule]) -> str:
    """Our name of an official one; a name that no rule knows comes back as it is."""
    for pattern, ours in rules:
        name = re.sub(pattern, ours, name)
    return name
