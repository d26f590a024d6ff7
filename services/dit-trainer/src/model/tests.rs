use contract::dit::{DitParams, Model};
use serde_json::json;

use super::*;

fn config(model: Model, precision: Precision) -> DitConfig {
    let params: DitParams = serde_json::from_value(json!({ "data": "x", "model": model })).unwrap();
    DitConfig { shape: params.shape(), classes: 10, precision }
}

fn count(model: Model) -> usize {
    Dit::new(config(model, Precision::Fp32), Device::Cpu, 0).parameters().map(|(_, t)| t.numel()).sum()
}

/// Counted from the layers of the reference implementation, with 3 channels out instead of 8.
#[test]
fn there_are_as_many_parameters_as_the_layers_say() {
    let layers = |width: usize, depth: usize, patch: usize| {
        let linear = |input: usize, output: usize| (input + 1) * output;
        let block = linear(width, 3 * width)
            + linear(width, width)
            + linear(width, 4 * width)
            + linear(4 * width, width)
            + linear(width, 6 * width);
        let values = 3 * patch * patch;
        let embeddings = linear(values, width) + linear(256, width) + linear(width, width) + 11 * width;
        depth * block + embeddings + linear(width, 2 * width) + linear(width, values)
    };
    assert_eq!((count(Model::Tiny), layers(128, 4, 4)), (1_283_632, 1_283_632));
    assert_eq!((count(Model::TinyDit), layers(384, 12, 16)), (33_057_024, 33_057_024));
}

#[test]
fn parameters_have_the_references_names_and_shapes() {
    let model = Dit::new(config(Model::TinyDit, Precision::Fp32), Device::Cpu, 0);
    let tensors = model.tensors();
    let expected: [(&str, &[i64]); 19] = [
        ("pos_embed", &[1, 64, 384]),
        ("x_embedder.proj.weight", &[384, 3, 16, 16]),
        ("x_embedder.proj.bias", &[384]),
        ("t_embedder.mlp.0.weight", &[384, 256]),
        ("t_embedder.mlp.2.bias", &[384]),
        ("y_embedder.embedding_table.weight", &[11, 384]),
        ("blocks.0.attn.qkv.weight", &[1152, 384]),
        ("blocks.0.attn.qkv.bias", &[1152]),
        ("blocks.3.attn.proj.weight", &[384, 384]),
        ("blocks.3.attn.proj.bias", &[384]),
        ("blocks.11.mlp.fc1.weight", &[1536, 384]),
        ("blocks.11.mlp.fc1.bias", &[1536]),
        ("blocks.11.mlp.fc2.weight", &[384, 1536]),
        ("blocks.11.adaLN_modulation.1.weight", &[2304, 384]),
        ("blocks.11.adaLN_modulation.1.bias", &[2304]),
        ("final_layer.linear.weight", &[768, 384]),
        ("final_layer.linear.bias", &[768]),
        ("final_layer.adaLN_modulation.1.weight", &[768, 384]),
        ("final_layer.adaLN_modulation.1.bias", &[768]),
    ];
    for (name, shape) in expected {
        assert_eq!(tensors.get(name).map(Tensor::size).as_deref(), Some(shape), "{name}");
    }
    // Ten of each block, and eleven others with the positions.
    assert_eq!(tensors.len(), 12 * 10 + 3 + 4 + 1 + 4);
}

#[test]
fn an_untrained_network_predicts_zero() {
    torch::use_threads(1);
    for precision in [Precision::Fp32, Precision::Bf16] {
        let model = Dit::new(config(Model::Tiny, precision), Device::Cpu, 3);
        let float = (Kind::Float, Device::Cpu);
        let patches = Tensor::arange(2 * 64 * 48, float).view([2, 64, 48]).sin();
        let labels = Tensor::from_slice(&[3_i64, 10]);
        let velocity = model.forward(&patches, &Tensor::from_slice(&[0.1_f32, 0.9]), &labels);
        assert_eq!((velocity.size(), velocity.kind()), (vec![2, 64, 48], Kind::Float));
        assert_eq!(velocity.abs().max().double_value(&[]), 0.0);
    }
}

#[test]
fn patches_and_images_are_each_others_inverse() {
    for (size, patch) in [(8, 4), (8, 8), (12, 3), (6, 1), (128, 16)] {
        let float = (Kind::Float, Device::Cpu);
        let images = Tensor::arange(2 * 3 * size * size, float).view([2, 3, size, size]);
        let patches = patchify(&images, patch);
        assert_eq!(patches.size(), [2, (size / i64::from(patch)).pow(2), 3 * i64::from(patch).pow(2)]);
        assert!(unpatchify(&patches, patch).equal(&images), "{size} {patch}");
        // However images lie in memory.
        assert!(patchify(&torch::channels_last(&images), patch).equal(&patches));
    }
}

#[test]
fn a_patch_holds_the_pixels_of_its_place() {
    let images = Tensor::arange(3 * 16, (Kind::Float, Device::Cpu)).view([1, 3, 4, 4]);
    let patches = patchify(&images, 2);
    // The second patch is above at the right: columns 2 and 3 of rows 0 and 1, three channels 16 apart.
    let second: Vec<f32> = Vec::try_from(patches.select(0, 0).select(0, 1)).unwrap();
    assert_eq!(second, [2.0, 18.0, 34.0, 3.0, 19.0, 35.0, 6.0, 22.0, 38.0, 7.0, 23.0, 39.0]);
}

/// What `NumPy` makes of the reference's `get_2d_sincos_pos_embed(8, 3)` in these places.
#[test]
fn positions_are_the_references() {
    let positions = positions(3, 8);
    let at = |row: i64, column: i64| -> Vec<f32> {
        Vec::try_from(positions.select(0, 0).select(0, row * 3 + column)).unwrap()
    };
    assert_eq!(at(0, 0), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    let expected = [0.909_297, 0.019_999, -0.416_147, 0.999_800, 0.841_471, 0.01, 0.540_302, 0.999_95];
    for (value, expected) in at(1, 2).into_iter().zip(expected) {
        assert!((value - expected).abs() < 1e-5, "{value} {expected}");
    }
}

#[test]
fn a_frozen_copy_has_the_values_and_learns_nothing() {
    let model = Dit::new(config(Model::Tiny, Precision::Fp32), Device::Cpu, 5);
    let copy = model.frozen_copy();
    let copies = copy.tensors();
    assert!(model.tensors().iter().all(|(name, tensor)| tensor.equal(&copies[name])));
    assert_eq!(copy.parameters().count(), 0);
    let mut changed = copies["blocks.0.attn.qkv.weight"].shallow_clone();
    let _ = tch::no_grad(|| changed.zero_());
    assert!(model.tensors()["blocks.0.attn.qkv.weight"].abs().max().double_value(&[]) > 0.0);
}
