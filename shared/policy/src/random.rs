//! Numbers that follow from a seed, a number and a name, and from nothing else: the same whenever they are asked for, and
//! what is added or left out beside them changes none.

/// An even draw from 0 to 1, 1 left out, with 53 bits.
pub(crate) fn unit(seed: u64, number: u32, name: &str) -> f64 {
    (bits(seed, number, name) >> 11) as f64 / (1u64 << 53) as f64
}

/// An even draw from 0 to `count`, that left out.
pub(crate) fn below(count: u128, seed: u64, number: u32, name: &str) -> u128 {
    (u128::from(bits(seed, number, name)) * count) >> 64
}

fn bits(seed: u64, number: u32, name: &str) -> u64 {
    mix(mix(mix(seed) ^ u64::from(number)) ^ fnv1a(name))
}

/// The finaliser of `SplitMix64` (Steele, Lea & Flood, 2014).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
