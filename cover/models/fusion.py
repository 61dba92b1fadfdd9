"""Cross gates, by which semantics weighs the other two branches, and the heads that score.

Source: COVER (He et al., CVPRW 2024; github.com/taco-group/COVER at 7373bee, ``cover/models/head.py``).
"""

from torch import Tensor, nn
from torch.nn import functional


class CrossGate(nn.Module):
    """Gate a branch's features by the semantics of the same moment.

    With s the semantic vector of a moment and y = ``branch_proj`` (features) at each place,
    the result is y + dropout(``out_proj`` (y * gelu_tanh(``gate_proj`` (``semantic_proj`` (s))))).

    Args:
        channels: Channels of both inputs and of the result.
        dropout: Share of the update that training drops.
    """

    def __init__(self, channels: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.semantic_proj = nn.Linear(channels, channels)
        self.branch_proj = nn.Linear(channels, channels)
        self.gate_proj = nn.Linear(channels, channels)
        self.out_proj = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, semantic: Tensor, features: Tensor) -> Tensor:
        """Gate ``features`` (B, C, T', h, w) by ``semantic`` (B, C, T'); the result has the shape of ``features``."""
        # The semantic side is the same everywhere in a frame: it is projected once a frame, then broadcast.
        gate = functional.gelu(self.gate_proj(self.semantic_proj(semantic.transpose(1, 2))), approximate="tanh")
        y = self.branch_proj(features.movedim(1, -1))
        y = y + self.dropout(self.out_proj(y * gate[:, :, None, None]))
        return y.movedim(-1, 1)


class QualityHead(nn.Module):
    """Score every place of a feature map by itself (two 1x1x1 convolutions).

    Args:
        in_channels: Channels of the features.
        hidden_channels: Channels between the two convolutions, with a GELU behind the first; 0: a linear head, whose
            first convolution gives each channel a weight and a bias (a standardisation, once fitted).
        dropout: Share of the inputs of either convolution that training drops.
    """

    def __init__(self, in_channels: int, hidden_channels: int = 64, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = hidden_channels == 0
        channels = hidden_channels or in_channels
        self.hidden = nn.Conv3d(in_channels, channels, kernel_size=1, groups=channels if self.linear else 1)
        self.score = nn.Conv3d(channels, 1, kernel_size=1)

    def inputs(self, features: Tensor) -> Tensor:
        """Features (B, C, T', h, w) -> what the last convolution is given, of the same T', h, w."""
        hidden = self.hidden(self.dropout(features))
        return hidden if self.linear else functional.gelu(hidden)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, T', h, w) -> scores (B, T', h, w)."""
        return self.score(self.dropout(self.inputs(features))).squeeze(1)
