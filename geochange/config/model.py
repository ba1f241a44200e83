"""ModelOptions: how a model is run, by whatever command."""

from __future__ import annotations

from pydantic import Field, field_validator

from geochange.config.base import Options


class ModelOptions(Options):
    """How a model is run; what is None is the model's own choice."""

    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    clip: str | None = Field(
        None, description="CLIP that names classes: MODEL/TAG, FILE or MODEL@FILE"
    )
    vocabulary: str | None = Field(None, description="file of class names, one a line")
    prompts: str | None = Field(None, description="per-date, published, or fixed (needs no CLIP)")
    precision: str = Field("auto", description="auto, float32 or bfloat16")
    compile: bool = Field(False, description="run the network through torch.compile")

    @field_validator("prompts")
    @classmethod
    def _prompts_are_known(cls, prompts: str | None) -> str | None:
        if prompts not in (None, "per-date", "published", "fixed"):
            raise ValueError("not known; choose per-date, published, fixed")
        return prompts

    @field_validator("precision")
    @classmethod
    def _precision_is_known(cls, precision: str) -> str:
        if precision not in ("auto", "float32", "bfloat16"):
            raise ValueError("not known; choose auto, float32, bfloat16")
        return precision
