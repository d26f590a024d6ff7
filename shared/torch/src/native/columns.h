// Sums of columns, as they come back to a bias: of rows in blocks that do not depend on how many threads there are, then of the
// blocks in their order, so that the sums' last bits do not depend on it either.

#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <cstdint>

class ColumnSums {
public:
  ColumnSums(int64_t blocks, int64_t width) : partial(at::zeros({blocks, width}, at::kFloat)) {}

  // Where the columns of a block are summed; it begins with zeros.
  float *block(int64_t index) { return partial.data_ptr<float>() + index * partial.size(1); }

  // (width) in fp32.
  at::Tensor total() const {
    const int64_t blocks = partial.size(0), width = partial.size(1);
    auto sums = at::zeros({width}, at::kFloat);
    float *to = sums.data_ptr<float>();
    for (int64_t index = 0; index < blocks; ++index) {
      const float *from = partial.const_data_ptr<float>() + index * width;
      for (int64_t i = 0; i < width; ++i) to[i] += from[i];
    }
    return sums;
  }

private:
  at::Tensor partial;
};
