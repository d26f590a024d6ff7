use super::*;

fn config(arch: Arch, stem: Stem, precision: Precision) -> ResNetConfig {
    ResNetConfig { arch, stem, classes: 10, precision }
}

fn count(arch: Arch) -> usize {
    let model = ResNet::new(
        ResNetConfig { classes: 1000, ..config(arch, Stem::Imagenet, Precision::Fp32) },
        Device::Cpu,
        0,
    );
    model.parameters().map(|(_, tensor)| tensor.numel()).sum()
}

#[test]
fn there_are_as_many_parameters_as_in_torchvision() {
    assert_eq!(
        [Arch::Resnet18, Arch::Resnet34, Arch::Resnet50].map(count),
        [11_689_512, 21_797_672, 25_557_032]
    );
}

#[test]
fn parameters_have_torchvisions_names_and_shapes() {
    let model = ResNet::new(config(Arch::Resnet50, Stem::Imagenet, Precision::Fp32), Device::Cpu, 0);
    let tensors = model.tensors();
    let shape = |name: &str| tensors[name].size();
    assert_eq!(shape("conv1.weight"), [64, 3, 7, 7]);
    assert_eq!(shape("bn1.running_mean"), [64]);
    assert_eq!(shape("layer1.0.conv3.weight"), [256, 64, 1, 1]);
    assert_eq!(shape("layer1.0.downsample.0.weight"), [256, 64, 1, 1]);
    assert_eq!(shape("layer1.0.downsample.1.running_var"), [256]);
    assert_eq!(shape("layer4.2.bn3.bias"), [2048]);
    assert_eq!(shape("fc.weight"), [10, 2048]);
    // torchvision's resnet50 has 320 entries, 53 of which are num_batches_tracked.
    assert_eq!(tensors.len(), 320 - 53);
}

#[test]
fn each_stem_and_precision_gives_logits_in_fp32() {
    // Other tests run beside this one.
    torch::use_threads(1);
    let images = Tensor::zeros([2, 3, 32, 32], (Kind::Float, Device::Cpu));
    for stem in [Stem::Imagenet, Stem::Small] {
        for precision in [Precision::Fp32, Precision::Bf16] {
            let model = ResNet::new(config(Arch::Resnet18, stem, precision), Device::Cpu, 0);
            let logits = model.forward(&images, Mode::Eval);
            assert_eq!((logits.size(), logits.kind()), (vec![2, 10], Kind::Float));
        }
    }
}

#[test]
fn initial_values_depend_on_the_seed_and_keep_the_signal_alive() {
    let model = |seed| ResNet::new(config(Arch::Resnet18, Stem::Small, Precision::Fp32), Device::Cpu, seed);
    let (one, same, other) = (model(1).tensors(), model(1).tensors(), model(2).tensors());
    assert!(one.iter().all(|(name, tensor)| tensor.equal(&same[name])));
    assert!(!one["conv1.weight"].equal(&other["conv1.weight"]));

    let deviation = one["layer3.0.conv2.weight"].std(false).double_value(&[]);
    assert!((deviation / (2.0 / (256.0 * 9.0_f64)).sqrt() - 1.0).abs() < 0.01, "{deviation}");
    let bound = 1.0 / 512_f64.sqrt();
    assert!(one["fc.weight"].abs().max().double_value(&[]) <= bound);
}
