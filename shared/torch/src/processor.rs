//! What differs between processors and decides which kernels are fastest.

use std::{fs, sync::LazyLock};

use tch::{Device, Kind, Tensor};

/// What Linux says of this processor; empty elsewhere.
static DESCRIPTION: LazyLock<String> =
    LazyLock::new(|| fs::read_to_string("/proc/cpuinfo").unwrap_or_default());

/// Whether this processor is wider than MKL uses: it has AVX-512 and is not Intel's.
pub(crate) fn is_wider_than_mkl_uses() -> bool {
    static IS_WIDER: LazyLock<bool> =
        LazyLock::new(|| is_x86_feature_detected!("avx512f") && !DESCRIPTION.contains("GenuineIntel"));
    *IS_WIDER
}

/// Whether this processor is faster in bf16 than in fp32. Without instructions for it, oneDNN takes ten times as long; Intel's
/// that have them for vectors, but not for matrices, take up to twice as long.
pub(crate) fn is_faster_in_bf16() -> bool {
    static IS_FASTER: LazyLock<bool> = LazyLock::new(|| {
        let is_slow_maker = DESCRIPTION.contains("GenuineIntel") && !DESCRIPTION.contains("amx_bf16");
        is_x86_feature_detected!("avx512bf16") && !is_slow_maker
    });
    *IS_FASTER
}

/// The kind that products and convolutions of what is given compute in: the same, but fp32 for bf16 on a processor that is
/// not faster in that. Values of bf16 are exact in fp32, and products are summed in fp32 either way.
pub(crate) fn kind_for_products(input: &Tensor) -> Kind {
    match input.kind() {
        Kind::BFloat16 if input.device() == Device::Cpu && !is_faster_in_bf16() => Kind::Float,
        kind => kind,
    }
}
