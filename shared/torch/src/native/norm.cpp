// The norm of many tensors together on the CPU. Libtorch's goes through them with one thread; here all take part, in blocks that
// do not depend on how many there are, so that the sum's last bits do not either.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "norm.h"
#include "values.h"

namespace {

constexpr int64_t BLOCK = 1 << 15;
// So many squares are summed in fp32, which a processor does many at a time; all else in fp64.
constexpr int64_t RUN = 1 << 10;

struct Block {
  const float *values;
  int64_t count;
};

CLONES double squares(const Block &block) {
  double sum = 0;
  for (int64_t begin = 0; begin < block.count; begin += RUN) {
    const float *values = block.values + begin;
    const int64_t count = std::min(RUN, block.count - begin);
    float part = 0;
#pragma omp simd reduction(+ : part)
    for (int64_t i = 0; i < count; ++i) part += values[i] * values[i];
    sum += part;
  }
  return sum;
}

} // namespace

float norm_on_cpu(const std::vector<at::Tensor> &tensors) {
  // In whichever order values lie; copies are kept until all is summed.
  std::vector<at::Tensor> dense;
  std::vector<Block> blocks;
  for (const auto &tensor : tensors) {
    dense.push_back(tensor.is_non_overlapping_and_dense() ? tensor : tensor.contiguous());
    const float *values = dense.back().const_data_ptr<float>();
    const int64_t count = tensor.numel();
    for (int64_t at = 0; at < count; at += BLOCK) blocks.push_back({values + at, std::min(BLOCK, count - at)});
  }
  std::vector<double> sums(blocks.size());
  at::parallel_for(0, static_cast<int64_t>(blocks.size()), 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sums[i] = squares(blocks[i]);
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  return static_cast<float>(std::sqrt(sum));
}
