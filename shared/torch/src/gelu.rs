//! The activation of a perceptron in a transformer.

use tch::Tensor;

use crate::{Product, native};

/// GELU in its form with the hyperbolic tangent (Hendrycks & Gimpel, arXiv 1606.08415), of fp32 or bf16 of any shape.
pub fn gelu(input: &Product) -> Tensor {
    match &input.bias {
        Some(bias) => native::gelu(&input.values, bias),
        None => input.values.gelu("tanh"),
    }
}

#[cfg(test)]
mod tests;
