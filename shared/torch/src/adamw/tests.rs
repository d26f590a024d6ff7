use tch::{
    Device, Kind, Tensor,
    nn::{self, OptimizerConfig},
};

use super::*;
use crate::{channels_last, clip_divisor, gradient_norm, gradients};

/// A small network whose parameters have every shape that occurs, one of them channels last.
fn network(device: Device) -> (nn::VarStore, impl Fn() -> Tensor) {
    let store = nn::VarStore::new(device);
    let init = |name: &str, shape: &[i64]| {
        let values =
            crate::random::keyed(3, crate::random::Purpose::Initial, (crate::random::hash_name(name), 0));
        let mut values = values;
        let count = shape.iter().product::<i64>() as usize;
        let tensor = Tensor::from_slice(&crate::random::normal(&mut values, count)).view(shape);
        store.root().var_copy(name, &(tensor * 0.3))
    };
    let (mut conv, weight, bias) = (init("conv", &[8, 3, 3, 3]), init("weight", &[4, 8]), init("bias", &[4]));
    conv.set_data(&channels_last(&conv.detach()));
    let input = channels_last(&Tensor::arange(2 * 3 * 5 * 5, (Kind::Float, device)).view([2, 3, 5, 5]).sin());
    let loss = move || {
        let hidden = input.conv2d(&conv, None::<Tensor>, [1], [1], [1], 1).relu().mean_dim(
            [2, 3].as_slice(),
            false,
            None,
        );
        hidden.linear(&weight, Some(&bias)).square().sum(Kind::Float)
    };
    (store, loss)
}

fn named(store: &nn::VarStore) -> Vec<(String, Tensor)> {
    let mut named: Vec<_> = store.variables().into_iter().collect();
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    named
}

#[test]
fn fifty_steps_equal_those_of_torch_optim_adamw() {
    let (ours, our_loss) = network(Device::Cpu);
    let (theirs, their_loss) = network(Device::Cpu);
    // Theirs decays every parameter of one group, so the bias is put into a group that does not.
    let options = AdamWOptions { weight_decay: 0.1, ..AdamWOptions::default() };
    let mut optimizer = AdamW::new(named(&ours), options);
    let mut reference = nn::adamw(0.9, 0.999, 0.1).build(&theirs, 1e-2).unwrap();
    let plain = named(&theirs).into_iter().find(|(name, _)| name == "bias").unwrap().1;

    for step in 0..50 {
        let lr = 1e-2 / f64::from(step + 1);
        let gradients = gradients(&our_loss(), optimizer.parameters());
        let divisor = clip_divisor(&gradient_norm(&gradients), 0.0);
        optimizer.step(gradients, &divisor, lr);

        reference.set_lr(lr);
        let undecayed = plain.detach().copy();
        reference.backward_step(&their_loss());
        // Decoupled decay is a factor before the step; taking it back leaves the step alone.
        let _ = no_grad(|| plain.shallow_clone().g_add_(&(undecayed * (lr * 0.1))));
    }
    for ((name, ours), (_, theirs)) in named(&ours).iter().zip(named(&theirs)) {
        let difference = (ours - &theirs).abs().max().double_value(&[]);
        assert!(difference < 2e-6, "{name} differs by {difference}");
    }
}

#[test]
fn gradients_are_clipped_to_their_norm_as_tch_does() {
    let (ours, our_loss) = network(Device::Cpu);
    let parameters: Vec<Tensor> = named(&ours).into_iter().map(|(_, tensor)| tensor).collect();
    let gradients = gradients(&our_loss(), &parameters);
    let norm = gradient_norm(&gradients);
    let expected: f64 =
        gradients.iter().map(|g| g.square().sum(Kind::Double).double_value(&[])).sum::<f64>().sqrt();
    assert!((norm.double_value(&[]) - expected).abs() < 1e-5 * expected);
    assert!((clip_divisor(&norm, expected / 4.0).double_value(&[]) - 4.0).abs() < 1e-4);
    assert!((clip_divisor(&norm, expected * 2.0).double_value(&[]) - 1.0).abs() < 1e-12);
    assert!((clip_divisor(&norm, 0.0).double_value(&[]) - 1.0).abs() < 1e-12);
}

#[test]
fn a_state_that_was_saved_goes_on_with_the_same_bytes() {
    let run = |stop_at: Option<u64>| {
        let (mut store, mut loss) = network(Device::Cpu);
        let mut optimizer = AdamW::new(named(&store), AdamWOptions::default());
        for step in 0..8 {
            if stop_at == Some(step) {
                let (fresh, fresh_loss) = network(Device::Cpu);
                let mut resumed = AdamW::new(named(&fresh), AdamWOptions::default());
                no_grad(|| {
                    for ((_, from), (_, to)) in named(&store).iter().zip(named(&fresh)) {
                        to.shallow_clone().copy_(from);
                    }
                    for ((_, from), (_, to)) in optimizer.state().zip(resumed.state()) {
                        to.shallow_clone().copy_(from);
                    }
                });
                resumed.set_steps(optimizer.steps());
                (store, loss, optimizer) = (fresh, fresh_loss, resumed);
            }
            let gradients = gradients(&loss(), optimizer.parameters());
            let divisor = clip_divisor(&gradient_norm(&gradients), 0.5);
            optimizer.step(gradients, &divisor, 1e-2);
        }
        named(&store)
    };
    let undisturbed = run(None);
    for stop_at in 0..8 {
        for ((name, a), (_, b)) in undisturbed.iter().zip(run(Some(stop_at))) {
            assert!(a.equal(&b), "{name} differs after a stop at {stop_at}");
        }
    }
}
