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
        // Loops that say so are vectorised, and `at::parallel_for`, of which the headers hold half, uses libtorch's threads;
        // without this it compiles and uses one.
        .flag("-fopenmp")
        // Nobody asks the processor afterwards whether a comparison met what is no number; if one might, loops with
        // comparisons stay as they are written.
        .flag_if_supported("-fno-trapping-math")
        // Where there is AVX-512, all of its width.
        .flag_if_supported("-mprefer-vector-width=512")
        // libtorch's own headers warn.
        .warnings(false)
        .include(include.join("torch/csrc/api/include"))
        .include(include)
        .files(
            ["native", "graph", "adaln", "attention", "batch_norm", "gelu", "norm"]
                .map(|name| format!("src/native/{name}.cpp")),
        )
        .compile("rekindle_native");
    // The one that libtorch brings and has loaded.
    println!("cargo:rustc-link-search=native={}", libraries.display());
    println!("cargo:rustc-link-lib=dylib:+verbatim=libgomp.so.1");
}
