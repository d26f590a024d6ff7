//! Compiles `src/native.cpp` against the libtorch that tch was built with.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=src/native.cpp");
    // torch-sys names no library when tch is built for its documentation only; then nothing is linked either.
    let Some(libraries) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        return;
    };
    let include = libraries.join("../include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .pic(true)
        .opt_level(2)
        // libtorch's own headers warn.
        .warnings(false)
        .include(include.join("torch/csrc/api/include"))
        .include(include)
        .file("src/native.cpp")
        .compile("rekindle_native");
}
