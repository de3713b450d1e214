"""The operators that a stored graph may call: functions of tensors and numbers, and of nothing else."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = """
    linear addmm addmv mm mv bmm baddbmm matmul dot einsum
    conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d conv_transpose3d
    batch_norm _native_batch_norm_legit_no_training instance_norm layer_norm native_layer_norm group_norm
    native_group_norm rms_norm

    add sub rsub mul div addcmul addcdiv lerp multiply subtract divide true_divide neg negative absolute
    pow sqrt rsqrt square reciprocal exp exp2 log log2 log1p abs sign sin cos erf
    floor ceil round remainder
    relu relu6 clamp clamp_min clamp_max hardtanh threshold leaky_relu prelu elu selu celu gelu silu mish
    sigmoid tanh softplus softsign log_sigmoid hardsigmoid hardswish hardshrink softshrink tanhshrink glu
    softmax log_softmax _softmax _log_softmax scaled_dot_product_attention
    maximum minimum max min amax amin where masked_fill eq ne lt le gt ge logical_and logical_or logical_not

    max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
    mean sum prod var std var_mean norm linalg_norm linalg_vector_norm cumsum logsumexp argmax argmin

    view reshape view_as reshape_as flatten unflatten permute transpose t swapaxes movedim squeeze unsqueeze
    numpy_T mT expand expand_as repeat repeat_interleave tile cat concat stack hstack vstack dstack split
    split_with_sizes chunk unbind slice select narrow index index_select gather flip roll tril triu diagonal
    pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
    replication_pad2d replication_pad3d pixel_shuffle pixel_unshuffle channel_shuffle
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d
    upsample_bicubic2d upsample_trilinear3d _upsample_nearest_exact1d _upsample_nearest_exact2d
    clone alias contiguous detach to _to_copy type_as dropout feature_dropout alpha_dropout
    lift_fresh lift_fresh_copy _unsafe_view zeros ones full zeros_like ones_like full_like new_zeros
    new_ones new_full scalar_tensor arange eye fill zero copy index_put scatter slice_scatter
    select_scatter im2col col2im unfold sym_size embedding _weight_norm
"""
# An operator in place, with "_" behind its name, goes with the one listed.
OPERATORS = frozenset(_NAMES.split())

# The arithmetic of variable shapes.
ARITHMETIC: dict[str, Callable[..., int | float | bool]] = {
    f"_operator.{name}": getattr(operator, name)
    for name in ("add", "sub", "mul", "floordiv", "mod", "neg", "eq", "ne", "lt", "le", "gt", "ge")
}

# What only states facts about shapes; the shapes are checked anyhow.
ASSERTIONS = frozenset(
    f"torch.ops.aten.{name}"
    for name in (
        "_assert_scalar.default",
        "_assert_tensor_metadata.default",
        "_assert_async.msg",
        "sym_constrain_range.default",
        "sym_constrain_range_for_size.default",
    )
)
