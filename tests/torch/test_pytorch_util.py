import pytest
import torch

from rlkit.torch.pytorch_util import (
    choose_device,
    explain_memory,
    prepare_device,
    tune_cpu,
    use_fast_float32_products,
)
from rlkit.util.errors import RunError, UserError


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory."), MemoryError(), RuntimeError("can't allocate memory: 9 bytes")],
)
def test_running_out_of_memory_names_what_to_lower(error):
    with pytest.raises(RunError, match=r"meta_batch.*net_size"), explain_memory():
        raise error


def test_an_allocation_that_cannot_be_is_explained():
    with pytest.raises(RunError, match=r"out of memory"), explain_memory():
        torch.empty(2**60)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be reported later",
        "CUDA error: device-side assert triggered\nCompile with TORCH_USE_CUDA_DSA",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    ],
)
def test_a_gpu_that_fails_is_no_lack_of_memory(text):
    with pytest.raises(RunError, match=r"^the GPU failed \(.*\)$"), explain_memory():
        raise RuntimeError(text)


def test_a_gpu_without_memory_is_told_so_whoever_says_it():
    with pytest.raises(RunError, match=r"out of memory.*lower"), explain_memory():
        raise RuntimeError("CUDA error: out of memory")


def test_other_errors_are_left_alone():
    with pytest.raises(RuntimeError, match="shape"), explain_memory():
        raise RuntimeError("shape mismatch")


def test_fast_products_have_float32_accuracy():
    use_fast_float32_products()
    left, right = torch.randn(64, 300), torch.randn(300, 64)
    exact = left.double() @ right.double()
    assert ((left @ right) - exact).abs().max() / exact.abs().max() < 3e-6


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device(True, 1, print) == torch.device("cuda", 1)
    with pytest.raises(UserError, match=r"gpu_id.*0\.\.1, got 2"):
        choose_device(True, 2, print)


@pytest.mark.parametrize(("asked", "cpus", "taken"), [(0, 1, 1), (0, 64, 2), (3, 1, 3)])
def test_threads_keep_to_the_cpus_unless_they_are_asked_for(asked, cpus, taken):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        tune_cpu(asked, cpus)
        assert torch.get_num_threads() == taken
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("precision", "products", "lstm"),
    [("float32", "highest", False), ("tf32", "high", True), ("bf16", "highest", False)],
)
def test_a_gpu_has_exact_float32_unless_tf32_is_asked_for(monkeypatch, precision, products, lstm):
    """Also in cuDNN's LSTM, which torch gives 19-bit products by default."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", not lstm)
    before = torch.get_float32_matmul_precision()
    try:
        prepare_device(torch.device("cuda"), precision, 1, 1, print)
        assert torch.get_float32_matmul_precision() == products
        assert torch.backends.cudnn.allow_tf32 == lstm
    finally:
        torch.set_float32_matmul_precision(before)
