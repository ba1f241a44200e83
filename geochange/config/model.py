"""ModelOptions: how a model is run, in every command that runs one."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from geochange.config.base import Options


class ModelOptions(Options):
    """How a model is run; None leaves the choice to the model."""

    help_group: ClassVar[str] = "The model"

    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    clip: str | None = Field(
        None, description="CLIP that names classes: MODEL/TAG, FILE or MODEL@FILE"
    )
    vocabulary: str | None = Field(None, description="file of class names, one a line")
    prompts: str | None = Field(
        None,
        description="per-date, published, or fixed (needs no CLIP)",
        json_schema_extra={"enum": ["per-date", "published", "fixed"]},
    )
    precision: str = Field(
        "auto",
        description="auto, float32 or bfloat16",
        json_schema_extra={"enum": ["auto", "float32", "bfloat16"]},
    )
    compile: bool = Field(
        False,
        description="run the network through torch.compile: starts a minute later, then runs "
        "faster, which pays from some thousand tiles on",
    )

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


def named_devices(text: str) -> str:
    """Full names of a device or a list of GPUs: "0,1" is "cuda:0,cuda:1".

    Raises ValueError for a list that is valid on no machine.
    """
    names = [_full_name(part.strip()) for part in text.split(",")]
    if len(names) > 1 and not all(name.startswith("cuda:") for name in names):
        raise ValueError("several devices must be GPUs, which give equal results; name them as 0,1")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]} occurs twice; name each once")
    return ",".join(names)


def _full_name(part: str) -> str:
    if part == "cuda":
        return "cuda:0"
    return f"cuda:{int(part)}" if part.isdecimal() else part
