use contract::classifier::{Arch, Stem};
use tch::Device;
use torch::{AdamWOptions, Precision};

use super::*;
use crate::ResNetConfig;

fn setting(precision: Precision) -> (ResNet, AdamW, Tensor, Tensor) {
    // Other tests run beside these.
    torch::use_threads(1);
    let config = ResNetConfig { arch: Arch::Resnet18, stem: Stem::Small, classes: 3, precision };
    let model = ResNet::new(config, Device::Cpu, 7);
    let optimizer = AdamW::new(model.parameters(), AdamWOptions::default());
    let images = torch::channels_last(
        &Tensor::arange(6 * 3 * 16 * 16, (Kind::Float, Device::Cpu)).view([6, 3, 16, 16]).sin(),
    );
    (model, optimizer, images, Tensor::from_slice(&[0_i64, 1, 2, 0, 1, 2]))
}

fn options() -> StepOptions {
    StepOptions { lr: 1e-3, clip_norm: 1.0, label_smoothing: 0.1, accumulation: 1 }
}

#[test]
fn the_loss_falls_on_a_batch_shown_again_in_both_precisions() {
    for precision in [Precision::Fp32, Precision::Bf16] {
        let (model, mut optimizer, images, labels) = setting(precision);
        let losses: Vec<f64> = (0..12)
            .map(|_| train_step(&model, &mut optimizer, &images, &labels, &options()).loss.double_value(&[]))
            .collect();
        assert!(losses[11] < 0.6 * losses[0], "{precision:?}: {losses:?}");
        assert!(optimizer.parameters().iter().all(|parameter| parameter.kind() == Kind::Float));
    }
}

#[test]
fn parts_of_uneven_size_weigh_each_image_the_same() {
    // Norms see each part alone, so only the loss of parts that are computed without them can be compared: a logit
    // that does not depend on the other images. The head's gradient of a loss is linear in the images' shares.
    let logits = Tensor::from_slice2(&[[2.0_f64, 0.0], [0.0, 1.0], [3.0, 1.0], [0.5, 0.1], [1.0, 4.0]]);
    let labels = Tensor::from_slice(&[0_i64, 1, 1, 0, 0]);
    let whole = cross_entropy(&logits, &labels, 0.1, Reduction::Mean).double_value(&[]);
    let parts: f64 = (0..2_i64)
        .map(|part| (part * 5 / 2, (part + 1) * 5 / 2))
        .map(|(start, end)| {
            let (logits, labels) =
                (logits.narrow(0, start, end - start), labels.narrow(0, start, end - start));
            cross_entropy(&logits, &labels, 0.1, Reduction::Mean).double_value(&[]) * (end - start) as f64
                / 5.0
        })
        .sum();
    assert!((whole - parts).abs() < 1e-12);
}

#[test]
fn a_step_reports_its_loss_its_hits_and_its_gradient() {
    let (model, mut optimizer, images, labels) = setting(Precision::Fp32);
    let outcome =
        train_step(&model, &mut optimizer, &images, &labels, &StepOptions { accumulation: 3, ..options() });
    assert!((0.5..5.0).contains(&outcome.loss.double_value(&[])));
    assert!((0.0..=6.0).contains(&outcome.correct.double_value(&[])));
    assert!(0.0 < outcome.gradient_norm.double_value(&[]));
    assert_eq!(optimizer.steps(), 1);
}
