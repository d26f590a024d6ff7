//! The residual blocks.

use tch::{Tensor, nn::Path};
use torch::{BatchNorm2d, Conv2d, Mode};

/// A convolution and the norm behind it.
#[derive(Debug)]
pub(super) struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    pub(super) fn new(
        path: &Path<'_>,
        (conv, norm): (&str, &str),
        channels: (i64, i64),
        kernel: i64,
        stride: i64,
    ) -> Self {
        Self {
            conv: Conv2d::new(&(path / conv), channels, kernel, stride),
            norm: BatchNorm2d::new(&(path / norm), channels.1),
        }
    }

    pub(super) fn forward(&self, input: &Tensor, mode: Mode) -> Tensor {
        self.norm.forward(&self.conv.forward(input), mode)
    }

    /// The same, then `added`, then what is negative is cut off.
    pub(super) fn forward_relu(&self, input: &Tensor, added: Option<&Tensor>, mode: Mode) -> Tensor {
        self.norm.forward_relu(&self.conv.forward(input), added, mode)
    }
}

/// Two 3×3 convolutions, or a bottleneck of 1×1, 3×3 and 1×1, around which the input goes straight.
#[derive(Debug)]
pub(super) struct Block {
    convs: Vec<ConvNorm>,
    downsample: Option<ConvNorm>,
}

impl Block {
    /// `expansion` 1 is the basic block; more is the bottleneck, with the stride on its 3×3 as in torchvision.
    pub(super) fn new(path: &Path<'_>, input: i64, width: i64, expansion: i64, stride: i64) -> Self {
        let output = width * expansion;
        let convs = if expansion == 1 {
            vec![
                ConvNorm::new(path, ("conv1", "bn1"), (input, width), 3, stride),
                ConvNorm::new(path, ("conv2", "bn2"), (width, output), 3, 1),
            ]
        } else {
            vec![
                ConvNorm::new(path, ("conv1", "bn1"), (input, width), 1, 1),
                ConvNorm::new(path, ("conv2", "bn2"), (width, width), 3, stride),
                ConvNorm::new(path, ("conv3", "bn3"), (width, output), 1, 1),
            ]
        };
        let changes_shape = stride != 1 || input != output;
        let downsample = changes_shape
            .then(|| ConvNorm::new(&(path / "downsample"), ("0", "1"), (input, output), 1, stride));
        Self { convs, downsample }
    }

    pub(super) fn forward(&self, input: Tensor, mode: Mode) -> Tensor {
        let (last, others) = self.convs.split_last().expect("a block has two or three convolutions");
        let around = match &self.downsample {
            Some(downsample) => downsample.forward(&input, mode),
            None => input.shallow_clone(),
        };
        let hidden = others.iter().fold(input, |hidden, conv| conv.forward_relu(&hidden, None, mode));
        last.forward_relu(&hidden, Some(&around), mode)
    }
}
