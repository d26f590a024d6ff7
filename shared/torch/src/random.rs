//! Random numbers that are functions of what they are for, never of what was drawn before.

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::native;

/// What random numbers are drawn for. Each purpose has numbers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The first value of a parameter.
    Initial,
    /// The order of an epoch.
    Order,
    /// How one image is changed.
    Augmentation,
    /// The noise that an image is mixed with in a step.
    Noise,
    /// How far each image of a step is on its way from noise, and whose class is kept from the network.
    Time,
    /// The noise that images are validated with.
    Validation,
    /// The noise that a sample begins as.
    Sample,
}

/// Random numbers for one purpose at one place, such as an epoch and an image.
pub fn keyed(seed: u64, purpose: Purpose, place: (u64, u64)) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64, place.0, place.1]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// The order in which an epoch goes through `count` things.
pub fn order(seed: u64, epoch: u64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut keyed(seed, Purpose::Order, (epoch, 0)));
    order
}

/// Normally distributed numbers (Box & Muller, 1958).
pub fn normal(random: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(count + 1);
    while numbers.len() < count {
        // 1 - [0, 1) is never zero, whose logarithm would be infinite.
        let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * random.random::<f64>()).sin_cos();
        numbers.extend([(radius * cos) as f32, (radius * sin) as f32]);
    }
    numbers.truncate(count);
    numbers
}

/// Numbers from 0 to less than 1.
pub fn uniform(random: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.random()).collect()
}

/// Normally distributed numbers of this shape, drawn on `device`. They depend on the key and, in their last bits at
/// least, on the kind of device.
pub fn normal_on(device: Device, shape: &[i64], seed: u64, purpose: Purpose, place: (u64, u64)) -> Tensor {
    let mut numbers = Tensor::empty(shape, (Kind::Float, device));
    native::fill_normal(&mut numbers, keyed(seed, purpose, place).random());
    numbers
}

/// A name as a number that depends on nothing else: FNV-1a, and a last mixing (splitmix64), because FNV's high bits
/// hardly depend on the last letters.
pub fn hash_name(name: &str) -> u64 {
    let mut hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_each_part_of_their_key_and_on_nothing_else() {
        let draw = |seed, purpose, place| keyed(seed, purpose, place).random::<u64>();
        let first = draw(1, Purpose::Order, (2, 3));
        assert_eq!(first, draw(1, Purpose::Order, (2, 3)));
        assert_ne!(first, draw(0, Purpose::Order, (2, 3)));
        assert_ne!(first, draw(1, Purpose::Augmentation, (2, 3)));
        assert_ne!(first, draw(1, Purpose::Order, (3, 3)));
        assert_ne!(first, draw(1, Purpose::Order, (2, 4)));
    }

    #[test]
    fn an_order_is_a_permutation_of_its_own_in_each_epoch() {
        let mut order_1 = order(7, 1, 100);
        assert_ne!(order_1, order(7, 2, 100));
        order_1.sort_unstable();
        assert_eq!(order_1, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let numbers = normal(&mut keyed(0, Purpose::Initial, (0, 0)), 100_001);
        let mean = numbers.iter().sum::<f32>() / 100_001.0;
        let variance = numbers.iter().map(|x| x * x).sum::<f32>() / 100_001.0;
        assert_eq!(numbers.len(), 100_001);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    /// More numbers than one generator draws, and not a multiple of them.
    #[test]
    fn noise_is_normal_the_same_with_any_number_of_threads_and_repeats_nowhere() {
        let draw = |threads| {
            crate::use_threads(threads);
            normal_on(Device::Cpu, &[3, 33_335], 5, Purpose::Noise, (1, 2))
        };
        let noise = draw(1);
        assert!(noise.equal(&draw(2)) && noise.equal(&draw(3)));
        let (mean, deviation) = (noise.mean(None).double_value(&[]), noise.std(true).double_value(&[]));
        assert!(mean.abs() < 0.02 && (deviation - 1.0).abs() < 0.02, "{mean} {deviation}");
        let (sorted, _) = noise.flatten(0, -1).sort(0, false);
        let repeated = sorted.diff::<Tensor>(1, 0, None, None).eq(0.0).sum(Kind::Int64).int64_value(&[]);
        assert!(repeated < 5_000, "{repeated} numbers were drawn twice");
    }
}
