//! Fully connected layers, and what they come to before their bias is added.

use tch::{
    Device, Kind, Tensor,
    nn::{Init, Path},
};

use crate::processor::{is_wider_than_mkl_uses, kind_for_products};

/// A fully connected layer.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

/// What a fully connected layer comes to, in the kind of what it was given. On the CPU its bias is still to be added, which what
/// comes next does in a pass that it takes anyway, forward and backward; between matrix products, passes through memory are
/// what costs.
#[derive(Debug)]
pub struct Product {
    /// (…, output).
    pub(crate) values: Tensor,
    /// What is to be added, (output) in fp32.
    pub(crate) bias: Option<Tensor>,
}

impl Linear {
    /// Zero until it is initialised.
    pub fn new(path: &Path<'_>, input: i64, output: i64) -> Self {
        Self {
            weight: path.var("weight", &[output, input], Init::Const(0.0)),
            bias: path.var("bias", &[output], Init::Const(0.0)),
        }
    }

    /// (…, input) to (…, output), in the kind of what it is given.
    pub fn forward(&self, input: &Tensor) -> Tensor {
        self.multiply(input, Some(&self.bias))
    }

    /// The same for [`crate::gelu()`], [`crate::self_attention`] and [`crate::add_and_ada_norm`].
    pub fn product(&self, input: &Tensor) -> Product {
        if input.device() == Device::Cpu {
            Product { values: self.multiply(input, None), bias: Some(self.bias.shallow_clone()) }
        } else {
            Product { values: self.forward(input), bias: None }
        }
    }

    fn multiply(&self, input: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let kind = kind_for_products(input);
        let (weight, bias) = (self.weight.to_kind(kind), bias.map(|bias| bias.to_kind(kind)));
        let wide = input.to_kind(kind);
        let output = if kind == Kind::Float && input.device() == Device::Cpu && is_wider_than_mkl_uses() {
            as_convolution(&wide, &weight, bias.as_ref())
        } else {
            wide.linear(&weight, bias.as_ref())
        };
        output.to_kind(input.kind())
    }
}

impl Product {
    /// With the bias.
    pub(crate) fn sum(&self) -> Tensor {
        match &self.bias {
            Some(bias) => &self.values + bias.to_kind(self.values.kind()),
            None => self.values.shallow_clone(),
        }
    }
}

/// The same product as a convolution with a kernel of one pixel. Libtorch has MKL do products of fp32, which uses half of the
/// width of other makers' processors with AVX-512; convolutions it gives to oneDNN, which uses all. Where there is no more
/// than AVX2, MKL is faster by half.
fn as_convolution(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let mut shape = input.size();
    let features = shape.pop().expect("there is at least the dimension of the features");
    let pixels = input.reshape([1, -1, 1, features]).permute([0, 3, 1, 2]); // (1, input, rows, 1), channels last
    let weight = weight.unsqueeze(-1).unsqueeze(-1);
    let output = pixels.conv2d(&weight, bias, [1], [0], [1], 1); // (1, output, rows, 1)
    shape.push(weight.size()[0]);
    output.permute([0, 2, 3, 1]).reshape(shape)
}

#[cfg(test)]
mod tests;
