//! A step of the `dit` keeps, in bytes:
//!
//! ```text
//! P × 20                            weights, their average, gradients and AdamW's two moments, fp32
//! P × 4, if accumulated             the sum of the gradients of the parts so far
//! P × 2, if bf16                    the weights as the layers see them
//! part × depth × T × W × (24 + 15v) what forward keeps of each image for backward
//! part × 8 × T × W × v              the gradients on their way through the widest layer
//! batch × 63 × image_size²          the images as they are read (1 byte a value), twice as fp32, and as fp32 their noise,
//!                                   their mixture with it and its velocity
//! ```
//!
//! `part` is `batch_size / accumulation`, `T` the patches of an image, `W` the width, `v` the bytes of an activation: 4, in
//! bf16 2. A block keeps, of T × W values each: in fp32, what comes in before attention and before the perceptron, both
//! normalised, and what either adds; as activations, both modulated (2), queries, keys and values (3), what attention makes
//! of them, twice as it is laid out anew (2), and the perceptron's hidden layer before and after its nonlinearity (8).

use contract::dit::{DitParams, Model};

use super::{precision_bytes, sum_bytes};

/// Classes of images assumed, as in ImageNet.
const IMAGE_CLASSES: u64 = 1000;

/// The network, as people call it.
pub(super) fn name(params: &DitParams) -> &'static str {
    match params.model {
        Model::Tiny => "tiny",
        Model::TinyDit => "tinydit",
        Model::DitS => "dit-s",
        Model::DitB => "dit-b",
    }
}

/// The formula above.
pub(super) fn bytes(params: &DitParams) -> u64 {
    let shape = params.shape();
    let (width, depth) = (u64::from(shape.width), u64::from(shape.depth));
    let tokens = u64::from(shape.image_size / shape.patch_size).pow(2);
    let (batch, part) = (u64::from(params.batch_size), u64::from(params.batch_size / params.accumulation));
    let (value_bytes, weight_copy) = precision_bytes(params.precision);
    let weights = parameters(params, IMAGE_CLASSES) * (20 + sum_bytes(params.accumulation) + weight_copy);
    let activations = part * depth * tokens * width * (24 + 15 * value_bytes);
    let gradients = part * 8 * tokens * width * value_bytes;
    let images = batch * 63 * u64::from(shape.image_size).pow(2);
    weights + activations + gradients + images
}

/// What is learned.
fn parameters(params: &DitParams, classes: u64) -> u64 {
    let shape = params.shape();
    let (width, depth) = (u64::from(shape.width), u64::from(shape.depth));
    let values = 3 * u64::from(shape.patch_size).pow(2);
    let linear = |input: u64, output: u64| (input + 1) * output;
    let attention = linear(width, 3 * width) + linear(width, width);
    let perceptron = linear(width, 4 * width) + linear(4 * width, width);
    let block = attention + perceptron + linear(width, 6 * width);
    let embeddings =
        linear(values, width) + linear(256, width) + linear(width, width) + (classes + 1) * width;
    depth * block + embeddings + linear(width, 2 * width) + linear(width, values)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn params(more: Value) -> DitParams {
        let mut params = json!({ "data": "cats" });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(params).unwrap()
    }

    /// As the trainer counts them.
    #[test]
    fn the_parameters_are_those_of_the_network() {
        let count = |model: &str| parameters(&params(json!({ "model": model })), 10);
        assert_eq!(["tiny", "tinydit"].map(count), [1_283_632, 33_057_024]);
    }

    #[test]
    fn more_of_anything_needs_more() {
        let with = |more: Value| bytes(&params(more));
        let middle = with(json!({}));
        assert!(with(json!({ "model": "tiny" })) < middle && middle < with(json!({ "model": "dit-s" })));
        assert!(with(json!({ "model": "dit-s" })) < with(json!({ "model": "dit-b" })));
        assert!(with(json!({ "batch_size": 32 })) < middle && middle < with(json!({ "image_size": 256 })));
        assert!(with(json!({ "precision": "bf16" })) < middle);
        assert!(with(json!({ "accumulation": 4 })) < middle);
        assert_eq!(with(json!({ "steps": 7, "warmup_steps": 0 })), middle);
    }
}
