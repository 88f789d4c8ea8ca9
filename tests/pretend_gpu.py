"""A device that is not there: its tensors hold their numbers on the CPU, and refuse what a GPU's would refuse.

Below `with pretend_gpu() as device:` code runs as on a GPU, with the CPU's numbers and generators. Tensors of two
devices in one operation, and arrays made of a tensor that was not copied to the CPU, are errors there. What only
hardware has, as kernels, graphs and streams, is not shown. It takes a torch that can have a device written in Python,
as 2.13 can.
"""

from contextlib import contextmanager
from functools import cache, partial
from unittest.mock import patch

import torch
from torch._decomp.decompositions import lstm_impl
from torch.library import Library, fallthrough_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

NAME = "pretended"
PRETENDED = f"{NAME}:0"
COPIES = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default}
TAKE_HOST_INDICES = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
}


class GpuTensor(torch.Tensor):
    """Says that it lies on cuda:0."""

    @staticmethod
    def __new__(cls, inner):
        form = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        tensor = torch.Tensor._make_wrapper_subclass(cls, inner.size(), **form, device=PRETENDED)
        tensor.inner = inner
        return tensor

    def __repr__(self, **_):
        return f"GpuTensor({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        with _Operations():
            return func(*args, **(kwargs or {}))


def _on_gpu(value):
    return torch.device(value).type == NAME


class _Operations(TorchDispatchMode):
    """Does on the CPU what is asked of the pretended device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        there = [isinstance(tensor, GpuTensor) for tensor in tensors]
        target = kwargs.get("device")
        if any(there) and not all(there) and func not in COPIES:
            elsewhere = [tensor for tensor, is_there in zip(tensors, there, strict=True) if not is_there]
            if func in TAKE_HOST_INDICES:
                elsewhere = [tensor for tensor in elsewhere if tensor is args[0]]
            if any(tensor.dim() for tensor in elsewhere):
                raise RuntimeError(f"{func}: expected all tensors to be on the same device, {PRETENDED} and cpu")
        if target is not None and _on_gpu(target):
            kwargs["device"] = torch.device("cpu")
        inner_args, inner_kwargs = tree_map_only(GpuTensor, lambda tensor: tensor.inner, (args, kwargs))
        result = func(*inner_args, **inner_kwargs)
        stays = any(there) if target is None else _on_gpu(target)
        if func is torch.ops.aten.copy_.default:
            return args[0]
        if not stays:
            return result
        wrapped = tree_map_only(torch.Tensor, GpuTensor, result)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if any(there) else wrapped


class _Calls(TorchFunctionMode):
    """The LSTM in single operations: the CPU lacks the kernel that a GPU without cuDNN takes."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch._VF.lstm and isinstance(args[0], torch.Tensor) and args[0].device.type == NAME:
            return lstm_impl(*args, **(kwargs or {}))
        if func in (torch.tensor, torch.as_tensor) and not isinstance(args[0], torch.Tensor):
            device = (kwargs or {}).get("device", "cpu")
            return func(*args, **{**(kwargs or {}), "device": "cpu"}).to(device)
        if func is torch.Tensor.tolist and isinstance(args[0], GpuTensor):
            return args[0].inner.tolist()
        return func(*args, **(kwargs or {}))


class _Generator(torch.Generator):
    """One of the CPU, wherever it is asked for."""

    def __new__(cls, device="cpu"):
        return super().__new__(cls, "cpu")


class _Module:
    """What torch asks a kind of device for."""

    @staticmethod
    def get_amp_supported_dtype():
        return [torch.bfloat16]

    @staticmethod
    def is_available():
        return True

    @staticmethod
    def _is_in_bad_fork():
        return False

    @staticmethod
    def manual_seed_all(seed):
        """It has no generator of its own."""


@cache
def _register():
    """Make the name known, and autocast's products in bfloat16; for as long as the process lives."""
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend as set_up

    set_up(NAME, _Module)
    autocast = Library("_", "IMPL"), Library("aten", "IMPL")
    autocast[0].fallback(fallthrough_kernel, "AutocastPrivateUse1")
    for product in ("linear", "matmul", "mm", "addmm", "bmm", "scaled_dot_product_attention"):
        autocast[1].impl(product, partial(_in_bfloat16, getattr(torch.ops.aten, product)), "AutocastPrivateUse1")
    return autocast


def _in_bfloat16(product, *args, **kwargs):
    def lowered(tensor):
        return tensor.bfloat16() if tensor.dtype == torch.float32 else tensor

    with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)):
        args, kwargs = tree_map_only(torch.Tensor, lowered, (args, kwargs))
        return product(*args, **kwargs)


@contextmanager
def pretend_gpu():
    """Have the device that is given."""
    _register()
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # `.data` would forget what a tensor is
    try:
        # gradients are found by this thread: those that serve devices have begun without this one, if they have
        in_this_thread = torch.autograd.set_multithreading_enabled(False)
        with patch.object(torch, "Generator", _Generator), _Calls(), _Operations(), in_this_thread:
            yield torch.device(PRETENDED)
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
