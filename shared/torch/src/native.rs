//! The one place with unsafe code: the C++ in `native/`, and loading the part of libtorch that knows GPUs.
#![expect(unsafe_code, reason = "calls into libtorch, behind safe functions that uphold what it asks for")]

pub(crate) mod graph;

use std::{
    ffi::{CStr, CString, c_char},
    ptr::{null, null_mut},
    sync::{Mutex, PoisonError},
};

use tch::{Device, Kind, TchError, Tensor};
use torch_sys::C_tensor;

unsafe extern "C" {
    fn rekindle_deterministic() -> *mut c_char;
    fn rekindle_norm(tensors: *const *const C_tensor, count: usize, norm: *mut C_tensor) -> *mut c_char;
    fn rekindle_add(
        sums: *const *const C_tensor,
        tensors: *const *const C_tensor,
        count: usize,
    ) -> *mut c_char;
    fn rekindle_copy(to: *const *const C_tensor, from: *const *const C_tensor, count: usize) -> *mut c_char;
    fn rekindle_lerp(
        averages: *const *const C_tensor,
        tensors: *const *const C_tensor,
        count: usize,
        weight: f64,
    ) -> *mut c_char;
    fn rekindle_ada_norm(
        tokens: *const C_tensor,
        gate: *const C_tensor,
        added: *const C_tensor,
        bias: *const C_tensor,
        shift: *const C_tensor,
        scale: *const C_tensor,
        eps: f64,
        is_half: bool,
        results: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn rekindle_batch_norm(
        input: *const C_tensor,
        added: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        running_mean: *const C_tensor,
        running_var: *const C_tensor,
        momentum: f64,
        eps: f64,
        relu: bool,
        result: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn rekindle_attention(
        joined: *const C_tensor,
        bias: *const C_tensor,
        heads: i64,
        result: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn rekindle_gelu(
        input: *const C_tensor,
        bias: *const C_tensor,
        result: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn rekindle_fill_normal(numbers: *mut C_tensor, seed: u64) -> *mut c_char;
    fn rekindle_set_gpu_allocator(setting: *const c_char, is_heard: *mut bool) -> *mut c_char;
    fn rekindle_drop_gpu_cache() -> *mut c_char;
    fn rekindle_reset_gpu_peak(device: i8) -> *mut c_char;
    fn rekindle_gpu_peak(device: i8, bytes: *mut i64) -> *mut c_char;
    fn rekindle_adamw(
        parameters: *const *const C_tensor,
        gradients: *const *const C_tensor,
        averages: *const *const C_tensor,
        squares: *const *const C_tensor,
        count: usize,
        step: *const C_tensor,
        divisor: *const C_tensor,
        device_lr: *const C_tensor,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
    ) -> *mut c_char;
}

/// Parameters that take one AdamW step together, with what belongs to each, in one order.
pub(crate) struct AdamwStep<'a> {
    pub(crate) parameters: &'a [Tensor],
    pub(crate) gradients: &'a [Tensor],
    pub(crate) averages: &'a [Tensor],
    pub(crate) squares: &'a [Tensor],
    /// The number of this step, from 1, as an fp32 scalar on the parameters' device.
    pub(crate) step: &'a Tensor,
    /// What each gradient is divided by, likewise.
    pub(crate) divisor: &'a Tensor,
    /// The learning rate, likewise; on a GPU, it is read there.
    pub(crate) device_lr: Option<&'a Tensor>,
    /// The learning rate where it is not.
    pub(crate) lr: f64,
    pub(crate) betas: (f64, f64),
    pub(crate) weight_decay: f64,
    pub(crate) eps: f64,
}

/// Asks libtorch for operations that give the same bytes each time.
pub(crate) fn deterministic() {
    // SAFETY: takes nothing; an exception comes back as text.
    unwrap(unsafe { rekindle_deterministic() });
}

/// Writes the norm of all `tensors` together into the scalar `norm`, without waiting for the device.
pub(crate) fn norm(tensors: &[Tensor], norm: &mut Tensor) {
    let list = pointers(tensors);
    // SAFETY: `list` holds `len` live tensors, which are only read.
    unwrap(unsafe { rekindle_norm(list.as_ptr(), list.len(), norm.as_mut_ptr()) });
}

/// Adds each of `tensors` to its own of `sums`.
pub(crate) fn add(sums: &mut [Tensor], tensors: &[Tensor]) {
    assert_eq!(sums.len(), tensors.len(), "each sum takes one tensor");
    let (sums, tensors) = (pointers(sums), pointers(tensors));
    // SAFETY: both lists hold `len` live tensors; the sums are exclusively borrowed.
    unwrap(unsafe { rekindle_add(sums.as_ptr(), tensors.as_ptr(), sums.len()) });
}

/// Copies each of `from` into its own of `to`. Nothing is allocated on the device.
pub(crate) fn copy(to: &mut [Tensor], from: &[Tensor]) {
    assert_eq!(to.len(), from.len(), "each target takes one tensor");
    let (to, from) = (pointers(to), pointers(from));
    // SAFETY: both lists hold `len` live tensors; the targets are exclusively borrowed.
    unwrap(unsafe { rekindle_copy(to.as_ptr(), from.as_ptr(), to.len()) });
}

/// Moves each of `averages` towards its own of `tensors`, by this share of the way.
pub(crate) fn lerp(averages: &mut [Tensor], tensors: &[Tensor], weight: f64) {
    assert_eq!(averages.len(), tensors.len(), "each average follows one tensor");
    let (averages, tensors) = (pointers(averages), pointers(tensors));
    // SAFETY: both lists hold `len` live tensors; the averages are exclusively borrowed.
    unwrap(unsafe { rekindle_lerp(averages.as_ptr(), tensors.as_ptr(), averages.len(), weight) });
}

/// What is added before a norm: values (N, T, W) in the kind that layers compute in, their bias (W) in fp32, and how much of
/// them, (N, W) in fp32.
pub(crate) struct Gated<'a> {
    pub(crate) values: &'a Tensor,
    pub(crate) bias: &'a Tensor,
    pub(crate) gate: &'a Tensor,
}

/// See [`crate::add_and_ada_norm`]: the sum, which is `tokens` where nothing is added, and what it is modulated to. On the
/// CPU only; `kind` is fp32 or bf16.
pub(crate) fn ada_norm(
    tokens: &Tensor,
    added: Option<&Gated<'_>>,
    shift: &Tensor,
    scale: &Tensor,
    eps: f64,
    kind: Kind,
) -> (Tensor, Tensor) {
    assert_eq!(tokens.kind(), Kind::Float, "tokens are fp32");
    let (images, _, width) = tokens.size3().expect("tokens have three dimensions");
    for of_image in [Some(shift), Some(scale), added.map(|added| added.gate)].into_iter().flatten() {
        assert_eq!(
            (of_image.size(), of_image.kind()),
            (vec![images, width], Kind::Float),
            "a row of fp32 an image"
        );
    }
    if let Some(Gated { values, bias, .. }) = added {
        assert_eq!((values.size(), values.kind()), (tokens.size(), kind), "as many values as tokens have");
        assert_bias(values, bias);
    }
    let is_half = match kind {
        Kind::BFloat16 => true,
        Kind::Float => false,
        other => panic!("layers compute in fp32 or bf16, not in {other:?}"),
    };
    let [gate, values, bias] = added.map_or([null(); 3], |Gated { values, bias, gate }| {
        [gate, values, bias].map(|tensor| tensor.as_ptr())
    });
    let mut results = [null_mut(); 2];
    // SAFETY: all tensors are live and were checked to have the shapes and kinds that the kernel reads; those that are null
    // are null together. The results are new tensors, whose owner this becomes.
    unsafe {
        unwrap(rekindle_ada_norm(
            tokens.as_ptr(),
            gate,
            values,
            bias,
            shift.as_ptr(),
            scale.as_ptr(),
            eps,
            is_half,
            results.as_mut_ptr(),
        ));
        let [sum, modulated] = results;
        let sum = if sum.is_null() { tokens.shallow_clone() } else { Tensor::from_ptr(sum) };
        (sum, Tensor::from_ptr(modulated))
    }
}

/// What a batch norm has for each channel (C), in fp32, and for all of them.
pub(crate) struct Norm<'a> {
    pub(crate) weight: &'a Tensor,
    pub(crate) bias: &'a Tensor,
    pub(crate) running_mean: &'a Tensor,
    pub(crate) running_var: &'a Tensor,
    /// How far the running statistics move towards the batch's.
    pub(crate) momentum: f64,
    /// Keeps the division sane.
    pub(crate) eps: f64,
}

/// Normalises (N, C, H, W), fp32 or bf16, by its own statistics, towards which the running ones are moved; adds what there
/// is to add, of the same shape and kind; and cuts off what is negative, which must be asked for where something is
/// added. On the CPU only.
pub(crate) fn batch_norm(input: &Tensor, norm: &Norm<'_>, added: Option<&Tensor>, relu: bool) -> Tensor {
    assert!(matches!(input.kind(), Kind::Float | Kind::BFloat16), "activations are fp32 or bf16");
    assert!(relu || added.is_none(), "a sum is cut off");
    let (_, channels, _, _) = input.size4().expect("activations have four dimensions");
    for of_channel in [norm.weight, norm.bias, norm.running_mean, norm.running_var] {
        assert_eq!(
            (of_channel.size(), of_channel.kind()),
            (vec![channels], Kind::Float),
            "one for each channel"
        );
        assert!(of_channel.is_contiguous(), "they lie in one piece");
    }
    if let Some(added) = added {
        assert_eq!((added.size(), added.kind()), (input.size(), input.kind()), "as many as there are");
    }
    let mut result = null_mut();
    // SAFETY: all tensors are live and were checked to have the shapes and kinds that the kernel reads. It writes to the
    // running statistics, which libtorch's handles allow. The result is a new tensor, whose owner this becomes.
    unsafe {
        unwrap(rekindle_batch_norm(
            input.as_ptr(),
            added.map_or(null(), Tensor::as_ptr),
            norm.weight.as_ptr(),
            norm.bias.as_ptr(),
            norm.running_mean.as_ptr(),
            norm.running_var.as_ptr(),
            norm.momentum,
            norm.eps,
            relu,
            &raw mut result,
        ));
        Tensor::from_ptr(result)
    }
}

/// See [`crate::self_attention`]; for short sequences on the CPU.
pub(crate) fn attention(joined: &Tensor, bias: &Tensor, heads: i64) -> Tensor {
    let (_, _, width) = joined.size3().expect("tokens have three dimensions");
    assert!(0 < heads && width % (3 * heads) == 0, "queries, keys and values have whole heads");
    assert_bias(joined, bias);
    let mut result = null_mut();
    // SAFETY: the tensors are live and were checked to have the shapes and kinds that the kernel reads. The result is a new
    // tensor, whose owner this becomes.
    unsafe {
        unwrap(rekindle_attention(joined.as_ptr(), bias.as_ptr(), heads, &raw mut result));
        Tensor::from_ptr(result)
    }
}

/// See [`crate::gelu()`]; on the CPU only.
pub(crate) fn gelu(input: &Tensor, bias: &Tensor) -> Tensor {
    assert_bias(input, bias);
    let mut result = null_mut();
    // SAFETY: the tensors are live and were checked to have the shapes and kinds that the kernel reads. The result is a new
    // tensor, whose owner this becomes.
    unsafe {
        unwrap(rekindle_gelu(input.as_ptr(), bias.as_ptr(), &raw mut result));
        Tensor::from_ptr(result)
    }
}

/// That kernels can read values (…, width) in main memory and their bias.
fn assert_bias(values: &Tensor, bias: &Tensor) {
    assert!(matches!(values.kind(), Kind::Float | Kind::BFloat16), "activations are fp32 or bf16");
    assert_eq!([values.device(), bias.device()], [Device::Cpu; 2], "kernels read main memory");
    assert_eq!((bias.size().as_slice(), bias.kind()), (&values.size()[values.dim() - 1..], Kind::Float));
    assert!(bias.is_contiguous(), "it lies in one piece");
}

/// Fills a tensor with normally distributed numbers that depend on the seed alone.
pub(crate) fn fill_normal(numbers: &mut Tensor, seed: u64) {
    // SAFETY: the tensor is live and exclusively borrowed.
    unwrap(unsafe { rekindle_fill_normal(numbers.as_mut_ptr(), seed) });
}

/// The numbers of a tensor, to be written.
///
/// # Panics
/// When it is not in main memory, not fp32, or not in one piece.
pub(crate) fn floats_mut(tensor: &mut Tensor) -> &mut [f32] {
    assert_eq!((tensor.device(), tensor.kind()), (Device::Cpu, Kind::Float), "these are fp32 in main memory");
    assert!(tensor.is_contiguous(), "they lie in one piece");
    // SAFETY: the tensor is live and exclusively borrowed as long as the slice is, and was checked to hold as many floats
    // one after another. An empty tensor may have no memory.
    unsafe {
        match tensor.data_ptr().cast::<f32>() {
            pointer if pointer.is_null() => &mut [],
            pointer => std::slice::from_raw_parts_mut(pointer, tensor.numel()),
        }
    }
}

/// Gives the GPU's allocator a setting, `key:value`, and says whether there is one that hears it.
///
/// # Errors
/// Libtorch's own words where it does not like the value, or where memory was taken already.
pub(crate) fn set_gpu_allocator(setting: &str) -> Result<bool, String> {
    let setting = CString::new(setting).map_err(|error| error.to_string())?;
    let mut is_heard = false;
    // SAFETY: the setting is a C string, and both outlive the call.
    checked(unsafe { rekindle_set_gpu_allocator(setting.as_ptr(), &raw mut is_heard) })?;
    Ok(is_heard)
}

/// Held by who drops the cache of the GPU's allocator and by who records on a GPU: it cannot do both at once.
static ALLOCATOR: Mutex<()> = Mutex::new(());

/// Gives back what the GPU's allocator keeps and nobody uses; nothing where there is no GPU.
pub(crate) fn drop_gpu_cache() {
    let _lock = ALLOCATOR.lock().unwrap_or_else(PoisonError::into_inner);
    drop_gpu_cache_now();
}

/// The same for who holds [`ALLOCATOR`].
fn drop_gpu_cache_now() {
    // SAFETY: takes nothing; an exception comes back as text.
    unwrap(unsafe { rekindle_drop_gpu_cache() });
}

/// Counts the GPU's peak of memory from now on.
pub(crate) fn reset_gpu_peak(device: i8) {
    // SAFETY: takes a number; an exception comes back as text.
    unwrap(unsafe { rekindle_reset_gpu_peak(device) });
}

/// The most bytes that libtorch held of the GPU since the last reset.
pub(crate) fn gpu_peak(device: i8) -> u64 {
    let mut bytes = 0;
    // SAFETY: `bytes` outlives the call.
    unwrap(unsafe { rekindle_gpu_peak(device, &raw mut bytes) });
    bytes.try_into().unwrap_or_default()
}

/// Has the allocator of main memory return what is free to the system.
#[cfg(target_env = "gnu")]
pub(crate) fn trim_main_memory() {
    // SAFETY: touches only memory that nobody holds.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators keep little.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn trim_main_memory() {}

/// One fused AdamW step.
pub(crate) fn adamw(step: &AdamwStep<'_>) {
    let count = step.parameters.len();
    assert!(
        [step.gradients.len(), step.averages.len(), step.squares.len()] == [count; 3],
        "each parameter has a gradient and two moments"
    );
    let (parameters, gradients) = (pointers(step.parameters), pointers(step.gradients));
    let (averages, squares) = (pointers(step.averages), pointers(step.squares));
    // SAFETY: each list holds `count` live tensors; a learning rate is live or null. Libtorch's tensors are shared handles,
    // so writing through them needs no exclusive borrow; the caller runs without gradient tracking.
    unwrap(unsafe {
        rekindle_adamw(
            parameters.as_ptr(),
            gradients.as_ptr(),
            averages.as_ptr(),
            squares.as_ptr(),
            count,
            step.step.as_ptr(),
            step.divisor.as_ptr(),
            step.device_lr.map_or(null(), Tensor::as_ptr),
            step.lr,
            step.betas.0,
            step.betas.1,
            step.weight_decay,
            step.eps,
        )
    });
}

/// Loads a library by name, for good.
pub(crate) fn load_library(name: &str) -> Result<(), String> {
    let name = CString::new(name).map_err(|error| error.to_string())?;
    // SAFETY: the name is a C string. The library's constructors register GPU kernels; nothing of it is called here.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL) };
    if !handle.is_null() {
        return Ok(());
    }
    // SAFETY: after a failure, dlerror returns a C string that lives until the next call on this thread.
    Err(unsafe { CStr::from_ptr(libc::dlerror()) }.to_string_lossy().into_owned())
}

/// Lets the allocator keep what is freed, up to 2 GB. By default, glibc returns large blocks to the system at once, and
/// every step gets them anew, page by page: a tenth of a step's time on the CPU.
#[cfg(target_env = "gnu")]
pub(crate) fn keep_freed_memory() {
    const MIB: libc::c_int = 1 << 20;
    // SAFETY: sets three numbers of the allocator; one that it does not like, it ignores.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 * MIB);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2047 * MIB);
        libc::mallopt(libc::M_TOP_PAD, 64 * MIB);
    }
}

/// Other allocators have no such habit.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn keep_freed_memory() {}

fn pointers(tensors: &[Tensor]) -> Vec<*const C_tensor> {
    tensors.iter().map(Tensor::as_ptr).collect()
}

/// Fails as every operation of tch does, so that callers see one kind of failure.
fn unwrap(exception: *mut c_char) {
    checked(exception).unwrap_or_else(|message| fail(message));
}

/// Fails likewise, with these words.
fn fail(message: String) -> ! {
    panic!("{:?}", TchError::Torch(message))
}

/// The text of an exception as an error.
fn checked(exception: *mut c_char) -> Result<(), String> {
    if exception.is_null() {
        return Ok(());
    }
    // SAFETY: not null, so it is a C string from strdup, and nobody else frees it.
    unsafe {
        let message = CStr::from_ptr(exception).to_string_lossy().into_owned();
        libc::free(exception.cast());
        Err(message)
    }
}
