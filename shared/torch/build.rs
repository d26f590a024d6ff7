//! Compiles `src/native/` against the libtorch that tch was built with.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=src/native");
    // torch-sys names no library when tch is built for its documentation only; then nothing is linked either.
    let Some(libraries) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        return;
    };
    let include = libraries.join("../include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .pic(true)
        .opt_level(3)
        // Loops that say so are vectorised.
        .flag_if_supported("-fopenmp-simd")
        // libtorch's own headers warn.
        .warnings(false)
        .include(include.join("torch/csrc/api/include"))
        .include(include)
        .files(["native", "graph", "adaln", "batch_norm"].map(|name| format!("src/native/{name}.cpp")))
        .compile("rekindle_native");
}
