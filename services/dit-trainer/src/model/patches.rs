//! Images as rows of patches, and back.

use tch::Tensor;

/// Images (N, 3, H, W) to patches (N, T, D): row by row, in each the pixels row by row, of each its three channels.
pub fn patchify(images: &Tensor, patch_size: u32) -> Tensor {
    let patch = i64::from(patch_size);
    let (count, channels, height, width) = images.size4().expect("images have four dimensions");
    let (rows, columns) = (height / patch, width / patch);
    images
        .permute([0, 2, 3, 1])
        .reshape([count, rows, patch, columns, patch, channels])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([count, rows * columns, patch * patch * channels])
}

/// The inverse of [`patchify`], for square images.
pub fn unpatchify(patches: &Tensor, patch_size: u32) -> Tensor {
    let patch = i64::from(patch_size);
    let (count, tokens, values) = patches.size3().expect("patches have three dimensions");
    let (side, channels) = (tokens.isqrt(), values / (patch * patch));
    patches
        .view([count, side, side, patch, patch, channels])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([count, side * patch, side * patch, channels])
        .permute([0, 3, 1, 2])
}
