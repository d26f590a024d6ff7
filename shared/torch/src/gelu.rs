//! The activation of a perceptron in a transformer.

use tch::{Device, Tensor};

use crate::native;

/// GELU in its form with the hyperbolic tangent (Hendrycks & Gimpel, arXiv 1606.08415), of fp32 or bf16 of any shape.
pub fn gelu(input: &Tensor) -> Tensor {
    if input.device() == Device::Cpu { native::gelu(input) } else { input.gelu("tanh") }
}

#[cfg(test)]
mod tests;
