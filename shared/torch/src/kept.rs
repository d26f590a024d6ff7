//! Copies of tensors.

use tch::{Device, Tensor, no_grad};

use crate::native;

/// Tensors, and what they held when they were last kept. All memory is taken once, so that putting back takes none.
#[derive(Debug)]
pub struct Kept {
    live: Vec<Tensor>,
    copies: Vec<Tensor>,
}

impl Kept {
    /// Keeps these tensors as they are.
    pub fn of(live: impl IntoIterator<Item = Tensor>) -> Self {
        let live: Vec<Tensor> = live.into_iter().collect();
        let copies = live.iter().map(|tensor| tensor.detach().copy()).collect();
        Self { live, copies }
    }

    /// Keeps them as they are now.
    pub fn keep(&mut self) {
        no_grad(|| native::copy(&mut self.copies, &self.live));
    }

    /// Puts them back to what they were when they were last kept.
    pub fn put_back(&mut self) {
        no_grad(|| native::copy(&mut self.live, &self.copies));
    }
}

/// A copy in main memory, laid out as it is.
pub fn cpu_copy(tensor: &Tensor) -> Tensor {
    tensor.detach().internal_to_copy((tensor.kind(), Device::Cpu), false)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn tensors_are_put_back_to_when_they_were_last_kept() {
        let mut tensors: Vec<Tensor> =
            (1..4).map(|size| Tensor::arange(size, (Kind::Float, Device::Cpu))).collect();
        let mut kept = Kept::of(tensors.iter().map(Tensor::shallow_clone));
        let add = |tensors: &mut Vec<Tensor>| tensors.iter_mut().for_each(|tensor| *tensor += 1.0);
        let lasts =
            |tensors: &[Tensor]| tensors.iter().map(|tensor| tensor.double_value(&[-1])).collect::<Vec<_>>();
        add(&mut tensors);
        kept.put_back();
        assert_eq!(lasts(&tensors), [0.0, 1.0, 2.0]);
        add(&mut tensors);
        kept.keep();
        add(&mut tensors);
        kept.put_back();
        assert_eq!(lasts(&tensors), [1.0, 2.0, 3.0]);
    }
}
