use super::*;

/// Tensors of every argument, some of which lie apart in memory, as they do in the network.
struct Given {
    tokens: Tensor,
    added: Tensor,
    /// Of `added`, (W).
    bias: Tensor,
    /// (N, 3, W).
    condition: Tensor,
}

impl Given {
    fn new(images: i64, tokens: i64, width: i64, kind: Kind) -> Self {
        crate::use_threads(2);
        let random = |shape: &[i64]| {
            let seed = shape.iter().sum::<i64>().cast_unsigned();
            let numbers =
                crate::random::normal_on(Device::Cpu, shape, seed, crate::random::Purpose::Noise, (0, 0));
            (numbers * 1.5 + 0.3).set_requires_grad(true)
        };
        let added = random(&[images, tokens + 1, width]).detach().narrow(1, 1, tokens).contiguous();
        Self {
            tokens: random(&[images, tokens, width]),
            added: added.to_kind(kind).set_requires_grad(true),
            bias: random(&[width]),
            condition: random(&[images, 3 * width]),
        }
    }

    fn parts(&self) -> [Tensor; 3] {
        self.condition.chunk(3, -1).try_into().expect("it was cut in three")
    }

    fn product(&self) -> Product {
        Product { values: self.added.shallow_clone(), bias: Some(self.bias.shallow_clone()) }
    }

    /// What comes out, and the gradients of a loss in which all of it counts.
    fn run(&self, with: impl Fn(&Self) -> Vec<Tensor>) -> Vec<Tensor> {
        let mut outputs = with(self);
        let losses = outputs.iter().zip(1..).map(|(output, number)| {
            let output = output.to_kind(Kind::Float);
            let weights = Tensor::arange(output.numel() as i64, (Kind::Float, Device::Cpu));
            (output.flatten(0, -1) * (weights * f64::from(number)).sin()).sum(Kind::Float)
        });
        let loss = losses.reduce(|sum, loss| sum + loss).expect("there is something to add");
        let inputs = [&self.tokens, &self.condition, &self.added, &self.bias];
        outputs.extend(crate::gradients(&loss, &inputs.map(Tensor::shallow_clone)));
        outputs
    }
}

fn agree(found: &[Tensor], expected: &[Tensor], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!((found.size(), found.kind()), (expected.size(), expected.kind()), "{number}");
        let (found, expected) = (found.to_kind(Kind::Float), expected.to_kind(Kind::Float));
        let apart = (&found - &expected).abs().max().double_value(&[]);
        let size = expected.abs().max().double_value(&[]);
        assert!(apart <= tolerance * size, "{number}: {apart} of {size}");
    }
}

#[test]
fn one_pass_comes_to_what_libtorchs_operations_do() {
    for (kind, tolerance) in [(Kind::Float, 2e-6), (Kind::BFloat16, 1.2e-2)] {
        for (images, tokens, width) in [(3, 5, 32), (1, 1, 7), (4, 64, 384), (2, 3, 130)] {
            let given = Given::new(images, tokens, width, kind);
            let fused = given.run(|given| {
                let [gate, shift, scale] = given.parts();
                let (sum, modulated) =
                    add_and_ada_norm(&given.tokens, &gate, &given.product(), &shift, &scale);
                vec![sum, modulated]
            });
            let expected = given.run(|given| {
                let [gate, shift, scale] = given.parts();
                let added = given.added.to_kind(Kind::Float) + &given.bias;
                let sum = given.tokens.addcmul(&gate.unsqueeze(1), &added);
                let modulated = composed(&sum, &shift, &scale, kind);
                vec![sum, modulated]
            });
            agree(&fused, &expected, tolerance);
        }
    }
}

#[test]
fn the_first_norm_adds_nothing() {
    let given = Given::new(2, 9, 48, Kind::Float);
    let sum_of_added = |given: &Given| given.added.sum(Kind::Float) + given.bias.sum(Kind::Float);
    let fused = given.run(|given| {
        let [_, shift, scale] = given.parts();
        vec![ada_norm(&given.tokens, &shift, &scale, Kind::Float), sum_of_added(given)]
    });
    let expected = given.run(|given| {
        let [_, shift, scale] = given.parts();
        vec![composed(&given.tokens, &shift, &scale, Kind::Float), sum_of_added(given)]
    });
    agree(&fused, &expected, 2e-6);
}

#[test]
fn only_one_of_the_two_results_may_be_used() {
    let given = Given::new(2, 4, 16, Kind::Float);
    let [gate, shift, scale] = given.parts();
    let (_, modulated) = add_and_ada_norm(&given.tokens, &gate, &given.product(), &shift, &scale);
    let gradients = crate::gradients(&modulated.square().sum(Kind::Float), &[given.tokens.shallow_clone()]);
    assert!(gradients[0].isfinite().all().double_value(&[]) > 0.0);
}

#[test]
fn numbers_that_are_none_stay_none() {
    for kind in [Kind::Float, Kind::BFloat16] {
        let given = Given::new(1, 2, 16, kind);
        let [gate, shift, scale] = given.parts();
        let spoiled = Product { values: given.added.detach() * f64::NAN, ..given.product() };
        let (sum, modulated) = add_and_ada_norm(&given.tokens, &gate, &spoiled, &shift, &scale);
        for result in [sum, modulated] {
            assert!(result.isnan().all().double_value(&[]) > 0.0, "{kind:?}");
        }
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let given = Given::new(5, 33, 96, Kind::Float);
    let run = |threads| {
        crate::use_threads(threads);
        given.run(|given| {
            let [gate, shift, scale] = given.parts();
            let (sum, modulated) = add_and_ada_norm(&given.tokens, &gate, &given.product(), &shift, &scale);
            vec![sum, modulated]
        })
    };
    let (one, two) = (run(1), run(2));
    assert!(one[..2].iter().zip(&two).all(|(one, two)| one.equal(two)));
    assert!([2, 4, 5].into_iter().all(|index| one[index].equal(&two[index])));
}
