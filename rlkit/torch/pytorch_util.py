"""Device, threads and numerics of torch, set once when a run begins."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from rlkit.util.errors import RunError, UserError

MEMORY_ERRORS = ("out of memory", "can't allocate memory", "not enough memory: you tried to allocate")
FLOAT32_TOLERANCE = 3e-6  # relative error of a 300-term product in float32, with room
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's names for mallopt
KEPT_BLOCK_BYTES = 32 * 2**20  # the largest that glibc allows for M_MMAP_THRESHOLD
KEPT_HEAP_BYTES = 256 * 2**20
GPU_ERRORS = ("CUDA error", "CUBLAS_STATUS", "CUDNN_STATUS", "cuDNN error", "device-side assert")
"""What torch writes of a GPU that gave way; nothing can be read from it any more."""


@contextmanager
def own_settings() -> Iterator[None]:
    """What is set of torch inside the block, threads and arithmetic, is put back behind it."""
    num_threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    tf32 = torch.backends.cudnn.allow_tf32
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = tf32
        torch.set_num_threads(num_threads)
        torch.set_float32_matmul_precision(precision)


def tune_cpu(num_threads: int, num_cpus: int) -> None:
    """Set the number of threads (0: torch's own, but at most `num_cpus`) and take the fastest exact float32 path."""
    torch.set_num_threads(num_threads or min(torch.get_num_threads(), num_cpus))
    keep_freed_memory()
    use_fast_float32_products()


def prepare_device(
    device: torch.device, precision: str, num_threads: int, num_cpus: int, say: Callable[[str], None]
) -> None:
    """Set torch up for a run: threads, memory, and the arithmetic of matrix products.

    Args:
        device: where the run trains.
        precision: "float32" is exact on every device; "tf32" allows a GPU its 19-bit products, and is float32 on a
            CPU; "bf16" is for the training step to apply.
        num_threads: CPU threads, 0 for all that count.
        num_cpus: CPUs that the process may use.
        say: is told where a choice costs time on this machine.
    """
    tune_cpu(num_threads, num_cpus)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"  # in the LSTM's, where torch's default is that
    elif precision == "bf16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        say("this CPU has no bfloat16 instructions: util_params.precision bf16 is slower here than float32")


def use_fast_float32_products() -> bool:
    """Send float32 matrix products through oneDNN where that keeps float32 accuracy; returns whether it does.

    The setting "medium" permits bfloat16 inside a product, which oneDNN uses on CPUs with matrix units for it; on
    others it is a faster float32 kernel than the default library's. A product decides.
    """
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(256, 300, generator=generator) for _ in range(2))
    exact = left.double() @ right.double().T
    torch.set_float32_matmul_precision("medium")
    error = ((left @ right.T) - exact).abs().max() / exact.abs().max()
    if error > FLOAT32_TOLERANCE:
        torch.set_float32_matmul_precision("highest")
        return False
    return True


def keep_freed_memory() -> None:
    """Have glibc keep the megabytes that each step frees, instead of giving them back and faulting them in again."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # musl has none
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_HEAP_BYTES)


def choose_device(use_gpu: bool, gpu_id: int, say: Callable[[str], None]) -> torch.device:
    """The CUDA device `gpu_id`, or the CPU where there is none or none is wanted; `say` tells why.

    Raises:
        UserError: there are CUDA devices, but not this one.
    """
    if not use_gpu:
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        say("no CUDA device found: training on the CPU")
        return torch.device("cpu")
    if gpu_id >= count:
        raise UserError(f"util_params.gpu_id: should be one of the devices 0..{count - 1}, got {gpu_id}")
    return torch.device("cuda", gpu_id)


def gpu_failure(error: RuntimeError) -> str | None:
    """What is said of a GPU that is lost or has failed; None of any other error, out of memory among them."""
    text = str(error)
    if "out of memory" in text or not any(mark in text for mark in GPU_ERRORS):
        return None
    return text.splitlines()[0]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was no memory left, on a GPU or here, where torch says so by a RuntimeError's text alone."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        text in str(error) for text in MEMORY_ERRORS
    )


@contextmanager
def explain_memory() -> Iterator[None]:
    """Turn running out of memory, or a GPU that fails, into one line; other errors pass.

    Raises:
        RunError: what to lower.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and (failure := gpu_failure(error)):
            raise RunError(f"the GPU failed ({failure})") from None
        if not is_out_of_memory(error):
            raise
        text = str(error).splitlines()[0] if str(error) else "no memory left"
        raise RunError(
            f"out of memory ({text}); lower algo_params.meta_batch, batch_size, embedding_batch_size, max_path_length"
            " or replay_buffer_size, net_size or env_params.n_tasks"
        ) from None
