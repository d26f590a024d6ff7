//! Layers of convolutional networks with torchvision's parameter names, in fp32 or bf16.

use tch::{
    Device, Kind, Tensor,
    nn::{Init, Path},
};

use crate::{native, processor::kind_for_products};

/// The arithmetic of activations. Parameters are fp32 either way and are cast where they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    Fp32,
    /// bfloat16 in convolutions; sums inside norms stay in fp32.
    Bf16,
}

impl Precision {
    /// The kind of tensor that activations are.
    pub fn kind(self) -> Kind {
        match self {
            Self::Fp32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

/// A convolution without bias; its weight is cast to the kind of what it is given.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// A square kernel whose padding keeps the size at stride 1. The weight is zero until it is initialised.
    pub fn new(path: &Path<'_>, channels: (i64, i64), kernel: i64, stride: i64) -> Self {
        let (input, output) = channels;
        let weight = path.var("weight", &[output, input, kernel, kernel], Init::Const(0.0));
        Self { weight, stride, padding: kernel / 2 }
    }

    /// (N, C, H, W) to (N, C', H / stride, W / stride).
    pub fn forward(&self, input: &Tensor) -> Tensor {
        let kind = kind_for_products(input);
        let weight = self.weight.to_kind(kind);
        let wide = input.to_kind(kind);
        wide.conv2d(&weight, None::<Tensor>, [self.stride], [self.padding], [1], 1).to_kind(input.kind())
    }
}

/// How far running statistics move towards the batch's, and what keeps the division sane: PyTorch's defaults.
const MOMENTUM: f64 = 0.1;
const EPS: f64 = 1e-5;

/// Batch normalisation (Ioffe & Szegedy, arXiv 1502.03167).
#[derive(Debug)]
pub struct BatchNorm2d {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm2d {
    /// PyTorch's defaults.
    pub fn new(path: &Path<'_>, channels: i64) -> Self {
        Self {
            weight: path.var("weight", &[channels], Init::Const(1.0)),
            bias: path.var("bias", &[channels], Init::Const(0.0)),
            running_mean: path.zeros_no_train("running_mean", &[channels]),
            running_var: path.ones_no_train("running_var", &[channels]),
        }
    }

    /// (N, C, H, W) to the same. In training, the batch's own statistics are used and the running ones are moved.
    pub fn forward(&self, input: &Tensor, mode: Mode) -> Tensor {
        if is_fused(input, mode) { self.fused(input, None, false) } else { self.composed(input, mode) }
    }

    /// The same, then `added`, of the same shape and kind, then what is negative is cut off.
    pub fn forward_relu(&self, input: &Tensor, added: Option<&Tensor>, mode: Mode) -> Tensor {
        if is_fused(input, mode) {
            return self.fused(input, added, true);
        }
        let mut output = self.composed(input, mode);
        if let Some(added) = added {
            output += added;
        }
        output.relu_()
    }

    /// In one go, on the CPU.
    fn fused(&self, input: &Tensor, added: Option<&Tensor>, relu: bool) -> Tensor {
        let Self { weight, bias, running_mean, running_var } = self;
        let (momentum, eps) = (MOMENTUM, EPS);
        let norm = native::Norm { weight, bias, running_mean, running_var, momentum, eps };
        native::batch_norm(input, &norm, added, relu)
    }

    /// Of libtorch's own operations.
    fn composed(&self, input: &Tensor, mode: Mode) -> Tensor {
        input.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            mode == Mode::Train,
            MOMENTUM,
            EPS,
            true,
        )
    }
}

fn is_fused(input: &Tensor, mode: Mode) -> bool {
    mode == Mode::Train && input.device() == Device::Cpu
}

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Learning.
    Train,
    /// Judging.
    Eval,
}

/// The same numbers, laid out in memory channel by channel within each pixel, as convolutions like it.
pub fn channels_last(tensor: &Tensor) -> Tensor {
    tensor.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests;
