# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One self-contained ONNX file: dynamic batch, normaliser inside, metadata, and a parity check with onnxruntime."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cgrpo_lab.whole_file import whole_file

OPSET = 18
METADATA_KEY = "cgrpo_lab"
"""The file's metadata entry that holds the description as JSON."""


def export_onnx(policy: nn.Module, path: Path, metadata: dict[str, Any]) -> None:
    """Write a policy as ONNX, through a temporary file.

    Args:
        policy: Module that maps raw observations [B, D] to actions [B, A], with ``get_dummy_inputs()``.
        path: File to write.
        metadata: Plain values to embed, see :func:`cgrpo_app.env_description.describe_env`.

    Raises:
        OSError: If the file cannot be written.
    """
    import onnx  # needed for export only

    policy = policy.to("cpu").eval()
    example = policy.get_dummy_inputs()[0].expand(2, -1)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # torch announces its newer exporter, whose files keep the weights apart and fix the batch size.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            policy,
            (example,),
            buffer,
            opset_version=OPSET,
            input_names=["obs"],
            output_names=["actions"],
            dynamic_axes={"obs": {0: "batch"}, "actions": {0: "batch"}},
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    model.producer_name, model.producer_version = "cgrpo-lab", metadata["version"]
    onnx.checker.check_model(model)
    _write_whole(path, model.SerializeToString())


def read_metadata(path: Path) -> dict[str, Any]:
    """Metadata embedded by :func:`export_onnx`, without loading torch or a simulator.

    Raises:
        ValueError: If the file has no such metadata.
    """
    import onnxruntime

    properties = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    if METADATA_KEY not in properties:
        raise ValueError(f"{path}: holds no {METADATA_KEY} metadata; export it with scripts/export.py.")
    return json.loads(properties[METADATA_KEY])


def onnx_parity(policy: nn.Module, path: Path, samples: int = 256, seed: int = 0) -> float:
    """Largest absolute difference between torch and onnxruntime over random observations.

    The observations are drawn around the normaliser's mean with three times its spread, so that the comparison
    covers what the policy was trained on and more.
    """
    import onnxruntime

    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(samples, policy.get_dummy_inputs()[0].shape[-1], generator=generator)
    buffers = dict(policy.named_buffers())
    if "obs_normalizer._mean" in buffers:
        noise = buffers["obs_normalizer._mean"].cpu() + 3.0 * buffers["obs_normalizer._std"].cpu() * noise
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = policy.to("cpu")(noise).numpy()
    return float(np.abs(session.run(None, {"obs": noise.numpy()})[0] - expected).max())


def export_torchscript(policy: nn.Module, path: Path) -> None:
    """Write a policy as TorchScript, through a temporary file.

    Raises:
        OSError: If the file cannot be written.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(policy.to("cpu").eval()), buffer)
    _write_whole(path, buffer.getvalue())


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file in a folder that is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
