import pytest
import torch

from rlkit.torch.fast.products import plain_product, small_product


@pytest.mark.parametrize("lanes", [3, 30])
def test_small_products_take_the_default_library_and_leave_the_setting(lanes):
    rows, weight, bias = torch.randn(lanes, 300), torch.randn(300, 300), torch.randn(300)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        for add in (None, bias):
            exact = plain_product(rows.double(), weight.double(), None if add is None else add.double())
            torch.testing.assert_close(small_product(rows, weight, add), exact.float(), rtol=1e-4, atol=1e-4)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
