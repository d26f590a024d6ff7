//! A limit on the GPU's memory holds for a whole process, so it is tested in one of its own.

use std::panic::catch_unwind;

use tch::{Cuda, Device, Kind, Tensor};

#[test]
fn a_process_takes_no_more_of_a_gpu_than_its_share() {
    torch::set_up();
    torch::limit_gpu_memory(0.01).unwrap();
    // Said again before the GPU is used, it holds instead.
    torch::limit_gpu_memory(0.02).unwrap();
    if !Cuda::is_available() {
        assert!(std::env::var_os("REKINDLE_TEST_GPU").is_none(), "libtorch finds no GPU");
        println!("skipped: there is no GPU here");
        return;
    }
    let device = Device::Cuda(0);
    let take = |mib: i64| Tensor::zeros([mib << 20], (Kind::Uint8, device));
    drop(take(32));
    let out = catch_unwind(|| take(16 << 10)).expect_err("16 GiB are more than a fiftieth of any GPU");
    let words = out.downcast_ref::<String>().expect("libtorch fails with words");
    assert!(words.contains("out of memory"), "{words}");
    let late = torch::limit_gpu_memory(1.0).unwrap_err().to_string();
    assert!(late.contains("the GPU is in use already"), "{late}");
}
