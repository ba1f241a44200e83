"""TrainableLand: trains the image tower and the land head of a ChangeCLIP on images of one date."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from geochange.models.changeclip.land_cover_network import LandNetwork
from geochange.models.changeclip.network import STRIDE, ChangeClip, normalise
from geochange.models.learning.trainable import single_date_parts, use_channels_last


class TrainableLand(nn.Module):
    """A network in which only image tower and land head are trained.

    Batch norms of the tower keep ImageNet's statistics, as a step has too few crops for good ones.
    """

    def __init__(self, network: ChangeClip) -> None:
        super().__init__()
        if network.land_head is None:
            raise ValueError("this network has no land head")
        self.network = network
        network.requires_grad_(False)
        for part in single_date_parts(network):
            part.requires_grad_(True)
        network.backbone.get_submodule("embed").requires_grad_(False)

    @property
    def parts(self) -> tuple[nn.Module, nn.Module]:
        """The trained parts: the image tower and the land head."""
        tower, head = single_date_parts(self.network)
        return tower, head

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) RGB in 0-255 -> (B, classes, H, W) float32 logits."""
        return land_logits(self.network, pictures)

    def prepare_on(self, device: torch.device) -> None:
        """Move to a device, with convolutions in the memory format of `run`."""
        self.to(device)
        for part in single_date_parts(self.network):
            use_channels_last(part)

    def train(self, mode: bool = True) -> TrainableLand:
        """Set training mode, except for batch norms of the tower."""
        super().train(mode)
        for module in self.network.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def land_logits(network: ChangeClip | LandNetwork, pictures: torch.Tensor) -> torch.Tensor:
    """What stands on each pixel: (B, 3, H, W) RGB in 0-255 -> (B, classes, H, W) float32 logits."""
    if isinstance(network, LandNetwork):
        logits: torch.Tensor = network(pictures)
        return logits
    assert network.land_head is not None
    x = normalise(pictures, network.options.visual).to(network.backbone.conv1.weight.dtype)
    seen = network.backbone(x.contiguous(memory_format=torch.channels_last))
    at_half, _ = network.land_head(seen.pyramid, seen.fine)
    return F.interpolate(at_half.float(), size=pictures.shape[2:], mode="bilinear")


@torch.inference_mode()
def land_classes(
    network: ChangeClip | LandNetwork, picture: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """(height, width) the most probable class of each pixel of a (height, width, 3) picture."""
    device = next(network.parameters()).device
    x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(device).float()
    height, width = x.shape[2:]
    x = F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
    return np.asarray(land_logits(network, x)[0, :, :height, :width].argmax(dim=0).cpu().numpy())
