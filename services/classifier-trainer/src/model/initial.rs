//! The values a network begins with: torchvision's.

use tch::{Tensor, nn::VarStore, no_grad};
use torch::{
    channels_last,
    random::{self, Purpose},
};

/// Sets every parameter that does not begin with a constant. Numbers are drawn on the CPU from the seed and the
/// parameter's name, so that every device and every order of drawing gives the same.
pub(super) fn set(store: &VarStore, seed: u64) {
    let fc_inputs = store.variables()["fc.weight"].size()[1];
    for (name, mut parameter) in store.variables() {
        let shape = parameter.size();
        let count = parameter.numel();
        let mut numbers = random::keyed(seed, Purpose::Initial, (random::hash_name(&name), 0));
        let values = if shape.len() == 4 {
            // Kaiming's normal for what comes out, because what flows backward shall keep its size.
            let deviation = (2.0 / (shape[0] * shape[2] * shape[3]) as f64).sqrt();
            channels_last(
                &(Tensor::from_slice(&random::normal(&mut numbers, count)).view(&shape[..]) * deviation),
            )
        } else if name.starts_with("fc.") {
            // PyTorch's default of a linear layer.
            let bound = 1.0 / (fc_inputs as f64).sqrt();
            let uniform = random::uniform(&mut numbers, count);
            Tensor::from_slice(&uniform).view(&shape[..]) * (2.0 * bound) - bound
        } else {
            continue;
        };
        // The layout in memory is taken over too.
        no_grad(|| parameter.set_data(&values.to_device(store.device())));
    }
}
