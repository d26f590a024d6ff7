//! The values a network begins with: the reference implementation's.

use tch::{Tensor, nn::VarStore, no_grad};
use torch::random::{self, Purpose};

/// The deviation of embeddings.
const DEVIATION: f64 = 0.02;

/// Sets every parameter that does not begin as zero: biases do, and what gates a block or makes the output, so that each
/// block begins as the identity and the network predicts zero. Numbers are drawn on the CPU from the seed and the
/// parameter's name, so that every device and every order of drawing gives the same.
pub(super) fn set(store: &VarStore, seed: u64) {
    for (name, mut parameter) in store.variables() {
        let shape = parameter.size();
        let is_zero = name.contains("adaLN_modulation") || name.starts_with("final_layer.");
        if shape.len() < 2 || is_zero || !parameter.requires_grad() {
            continue;
        }
        let count = parameter.numel();
        let mut numbers = random::keyed(seed, Purpose::Initial, (random::hash_name(&name), 0));
        let is_embedding = name.starts_with("t_embedder.") || name.starts_with("y_embedder.");
        let values = if is_embedding {
            Tensor::from_slice(&random::normal(&mut numbers, count)) * DEVIATION
        } else {
            // Uniform (Glorot & Bengio, 2010); the patches' weight counts as the matrix that it is.
            let (outputs, inputs) = (shape[0], shape[1..].iter().product::<i64>());
            let bound = (6.0 / (outputs + inputs) as f64).sqrt();
            Tensor::from_slice(&random::uniform(&mut numbers, count)) * (2.0 * bound) - bound
        };
        no_grad(|| parameter.copy_(&values.view(&shape[..])));
    }
}
