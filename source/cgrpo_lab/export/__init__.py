# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Export of policies for robots."""

from cgrpo_lab.export.onnx_export import export_onnx, export_torchscript, onnx_parity, read_metadata

__all__ = ["export_onnx", "export_torchscript", "onnx_parity", "read_metadata"]
