//! What of a training step every program on the same libtorch shares: its products of matrices and its convolutions, forward
//! and backward, and nothing else. On a CPU, they are nearly all of a step, so that none can be faster than they are.

use std::time::{Duration, Instant};

use dit_trainer::Dit;
use tch::{Kind, Tensor, no_grad_guard};
use torch::channels_last;

use crate::{
    alone::{self, Side, Work},
    dit_step,
    figures::{Times, milliseconds},
    machine,
    report::Table,
};

pub(crate) fn measure() -> anyhow::Result<Table> {
    torch::set_up();
    let (device, place, threads) = alone::place();
    let networks = [
        ("TinyDiT", "dit", "products", 32, 128),
        ("ResNet-18", "resnet", "convolutions", 16, 64),
        ("ResNet-18", "resnet", "convolutions", 16, 128),
    ];
    let mut table = Table::new(&["one step", "all of it", "products and convolutions alone", "share"]);
    let cases =
        machine::precisions().iter().flat_map(|precision| networks.map(|network| (*precision, network)));
    for (precision, (network, whole, kernels, batch, side)) in cases {
        let work = Work { precision, device, batch, side, threads, warm_up: 2, steps: 8 };
        let (mut all, mut shared) = (Side::default(), Side::default());
        // In turn, so that a noisy moment of the machine meets both.
        for _ in 0..2 {
            all.add(&alone::run(whole, &work)?)?;
            shared.add(&alone::run(kernels, &work)?)?;
        }
        let (all, shared) = (all.median(), shared.median());
        table.row(&[
            &format!("{network}, {precision}, {batch} images of {side}×{side}, {place}"),
            &milliseconds(all),
            &milliseconds(shared),
            &format!("{:.0} %", 100.0 * shared.as_secs_f64() / all.as_secs_f64()),
        ]);
    }
    Ok(table)
}

/// How long it takes to do some work so often.
fn timed(work: &Work, mut once: impl FnMut()) -> Vec<Duration> {
    let mut times = Vec::with_capacity(work.steps);
    for number in 0..work.warm_up + work.steps {
        let began = Instant::now();
        once();
        if work.warm_up <= number {
            times.push(began.elapsed());
        }
    }
    times
}

/// What kernels may compute in: for bf16 fp32 too, which some processors are faster in.
fn kinds(work: &Work) -> &'static [Kind] {
    if work.precision == "bf16" { &[Kind::BFloat16, Kind::Float] } else { &[Kind::Float] }
}

/// The fastest of several ways.
fn fastest(ways: impl IntoIterator<Item = Vec<Duration>>) -> Vec<Duration> {
    ways.into_iter().min_by_key(|times| Times::new(times.clone()).median()).unwrap_or_default()
}

fn noise(kind: Kind, shape: &[i64]) -> Tensor {
    Tensor::randn(shape, (Kind::Float, torch::device())).to_kind(kind)
}

/// A fully connected layer: its input (rows, from), weight (to, from), and the gradient of its output (rows, to).
struct Product {
    input: Tensor,
    weight: Tensor,
    gradient: Tensor,
    /// Whether the gradient of its input is asked for.
    goes_back: bool,
}

/// The products of a step of TinyDiT, by MKL or as convolutions by oneDNN, in whichever kind is fastest on this machine.
pub(crate) fn products(work: &Work) -> Vec<Duration> {
    let model = dit_step::tiny_dit(work);
    fastest(kinds(work).iter().flat_map(|kind| products_in(*kind, &model, work)))
}

/// By MKL, and by oneDNN.
fn products_in(kind: Kind, model: &Dit, work: &Work) -> [Vec<Duration>; 2] {
    let layers = layers(kind, model, work);
    let by_mkl = timed(work, || {
        let _untracked = no_grad_guard();
        for Product { input, weight, gradient, goes_back } in &layers {
            let _ = input.matmul(&weight.tr());
            let _ = gradient.tr().matmul(input);
            if *goes_back {
                let _ = gradient.matmul(weight);
            }
        }
    });
    let as_image = |rows: &Tensor| rows.unsqueeze(0).unsqueeze(2).permute([0, 3, 1, 2]);
    let by_onednn = timed(work, || {
        for Product { input, weight, gradient, goes_back } in &layers {
            let (input, gradient) = (as_image(input), as_image(gradient));
            let weight = weight.unsqueeze(-1).unsqueeze(-1);
            convolve(&input, &weight, &gradient, 1, *goes_back);
        }
    });
    [by_mkl, without_asking(work, by_onednn, layers.iter().map(|layer| &layer.gradient))]
}

/// Every fully connected layer of the network. Those of the times and of the modulation have a row for each image, all others
/// one for each token.
fn layers(kind: Kind, model: &Dit, work: &Work) -> Vec<Product> {
    let weights =
        model.parameters().filter(|(name, weight)| weight.dim() == 2 && !name.contains("y_embedder"));
    weights
        .map(|(name, weight)| {
            let is_of_image = name.contains("adaLN") || name.contains("t_embedder");
            let rows = if is_of_image { work.batch } else { work.batch * model.config().tokens() };
            let [to, from] = weight.size()[..] else { unreachable!("it has two dimensions") };
            let goes_back = !name.contains("x_embedder") && !name.contains("t_embedder.mlp.0");
            let [input, weight, gradient] =
                [[rows, from], [to, from], [rows, to]].map(|shape| noise(kind, &shape));
            Product { input, weight, gradient, goes_back }
        })
        .collect()
}

/// A convolution forward and backward, with what it takes to ask for gradients.
fn convolve(input: &Tensor, weight: &Tensor, gradient: &Tensor, stride: i64, goes_back: bool) {
    let padding = weight.size()[2] / 2;
    let input = input.detach().set_requires_grad(goes_back);
    let weight = weight.detach().set_requires_grad(true);
    let output = input.conv2d(&weight, None::<Tensor>, [stride], [padding], [1], 1);
    let asked = if goes_back { vec![&weight, &input] } else { vec![&weight] };
    go_back(&output, gradient, &asked);
}

/// Asks for gradients where `gradient` comes back to `output`. tch does so for scalars only.
fn go_back(output: &Tensor, gradient: &Tensor, asked: &[&Tensor]) {
    Tensor::run_backward(&[(output * gradient).sum(Kind::Float)], asked, false, false);
}

/// The times of convolutions without what it takes to ask for the gradients of outputs like these.
fn without_asking<'a>(
    work: &Work,
    times: Vec<Duration>,
    gradients: impl Iterator<Item = &'a Tensor> + Clone,
) -> Vec<Duration> {
    let asking = timed(work, || {
        for gradient in gradients.clone() {
            let output = gradient.detach().set_requires_grad(true);
            go_back(&output, gradient, &[&output]);
        }
    });
    let asking = Times::new(asking).median();
    times.into_iter().map(|time| time.saturating_sub(asking)).collect()
}

/// The convolutions of a step of ResNet-18 (He et al., arXiv 1512.03385, table 1): channels from and to, kernel, stride, and by
/// how much smaller than the image its input is.
const CONVOLUTIONS: [(i64, i64, i64, i64, i64); 20] = [
    (3, 64, 7, 2, 1),
    (64, 64, 3, 1, 4),
    (64, 64, 3, 1, 4),
    (64, 64, 3, 1, 4),
    (64, 64, 3, 1, 4),
    (64, 128, 3, 2, 4),
    (64, 128, 1, 2, 4),
    (128, 128, 3, 1, 8),
    (128, 128, 3, 1, 8),
    (128, 128, 3, 1, 8),
    (128, 256, 3, 2, 8),
    (128, 256, 1, 2, 8),
    (256, 256, 3, 1, 16),
    (256, 256, 3, 1, 16),
    (256, 256, 3, 1, 16),
    (256, 512, 3, 2, 16),
    (256, 512, 1, 2, 16),
    (512, 512, 3, 1, 32),
    (512, 512, 3, 1, 32),
    (512, 512, 3, 1, 32),
];

/// They alone, in whichever kind is fastest on this machine.
pub(crate) fn convolutions(work: &Work) -> Vec<Duration> {
    fastest(kinds(work).iter().map(|kind| convolutions_in(*kind, work)))
}

fn convolutions_in(kind: Kind, work: &Work) -> Vec<Duration> {
    let layers = CONVOLUTIONS.map(|(from, to, kernel, stride, smaller)| {
        let side = work.side / smaller;
        let input = channels_last(&noise(kind, &[work.batch, from, side, side]));
        let gradient = channels_last(&noise(kind, &[work.batch, to, side / stride, side / stride]));
        (input, channels_last(&noise(kind, &[to, from, kernel, kernel])), gradient, stride)
    });
    let times = timed(work, || {
        for (number, (input, weight, gradient, stride)) in layers.iter().enumerate() {
            convolve(input, weight, gradient, *stride, number != 0);
        }
    });
    without_asking(work, times, layers.iter().map(|(_, _, gradient, _)| gradient))
}
