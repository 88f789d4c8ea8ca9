"""DeviceWatch: finds in running code what a CUDA graph cannot hold, without a GPU."""

from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}  # torch's own marks of its operations
INDEXING = {torch.ops.aten.index.Tensor, torch.ops.aten.index_put.default, torch.ops.aten.index_put_.default}
TO_HOST = {torch.Tensor.tolist: "tolist", torch.Tensor.numpy: "numpy", torch.Tensor.cpu: "cpu"}


class DeviceWatch:
    """Notes in `faults`, while it is entered, what waits for `device` or happens on another one.

    Operations whose value or shape the host must know (`item`, `nonzero`, boolean indices, `unique`), tensors on
    other devices and copies to them, and constructors that are not told a device. What forgets its device is found on
    one that is not the CPU, as that of `pretend_gpu`.
    """

    def __init__(self, device):
        self.device = torch.device(device)
        self.faults = []
        from_numpy = torch.from_numpy

        def noted(array):
            self.faults.append("from_numpy makes a tensor on the CPU")
            return from_numpy(array)

        patched = patch.object(torch, "from_numpy", noted)  # no mode of torch's sees it
        self._modes = (patched, _Calls(self.faults), _Operations(self.faults, self.device))

    def __enter__(self):
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error):
        for mode in reversed(self._modes):
            mode.__exit__(*error)


class _Calls(TorchFunctionMode):
    """What only Python sees: reads by the host, and constructors."""

    def __init__(self, faults):
        super().__init__()
        self._faults = faults
        self._constructors = set(_device_constructors())

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in TO_HOST:
            self._faults.append(f"{TO_HOST[func]} reads on the host")
        if func in self._constructors and kwargs.get("device") is None:
            self._faults.append(f"{func.__name__} is told no device")
        return func(*args, **kwargs)


class _Operations(TorchDispatchMode):
    """What reaches the kernels, those of autograd included."""

    def __init__(self, faults, device):
        super().__init__()
        self._faults = faults
        self._device = device

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in INDEXING:
            if any(index.dtype in (torch.bool, torch.uint8) for index in tree_leaves(args[1]) if index is not None):
                self._faults.append(f"{func} with a mask has a shape that depends on the data")
        elif WAITS.intersection(func.tags):
            self._faults.append(f"{func} waits for the device")
        result = func(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        others = {str(tensor.device) for tensor in tensors if tensor.device.type != self._device.type}
        if others:
            self._faults.append(f"{func} has a tensor on {', '.join(sorted(others))}")
        return result
