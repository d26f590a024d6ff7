// Batch norm in training with the sum and the ReLU behind it, forward and backward in two passes each, on the CPU.
// Composed of libtorch's operations, each would be a pass of its own through memory; between convolutions, memory is what
// costs. Sums are taken over blocks of a fixed number of rows, so that their last bits do not depend on the threads.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "caught.h"
#include "values.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Channels whose sums stay in registers.
constexpr int64_t TILE = 32;
// A block of rows stays in the nearest caches.
constexpr int64_t BLOCK_VALUES = 16384;

// Pixels are rows, which have a value of each channel.
struct Rows {
  int64_t count, channels;
  bool relu;
  const void *in, *added;
  void *out;

  int64_t per_block() const { return std::max<int64_t>(1, BLOCK_VALUES / channels); }
  int64_t blocks() const { return (count + per_block() - 1) / per_block(); }
  int64_t begin(int64_t block) const { return block * per_block(); }
  int64_t end(int64_t block) const { return std::min(count, (block + 1) * per_block()); }
};

// Of a block, for each channel: the mean, and the sum of squares around it. Sums are of distances from the block's first
// row, so that a large mean takes no digits.
template <typename T> INLINE void moments_of_block(const Rows &r, int64_t block, float *means, float *squares) {
  const int64_t channels = r.channels, begin = r.begin(block), end = r.end(block);
  const float count = end - begin;
  for (int64_t first = 0; first < channels; first += TILE) {
    const int64_t width = std::min(TILE, channels - first);
    const T *in = static_cast<const T *>(r.in) + begin * channels + first;
    float origin[TILE] = {}, sum[TILE] = {}, square[TILE] = {};
    for (int64_t i = 0; i < width; ++i) origin[i] = load(in[i]);
    if (width == TILE) {
      for (int64_t row = begin; row < end; ++row, in += channels) {
#pragma omp simd
        for (int64_t i = 0; i < TILE; ++i) {
          const float apart = load(in[i]) - origin[i];
          sum[i] += apart;
          square[i] += apart * apart;
        }
      }
    } else {
      for (int64_t row = begin; row < end; ++row, in += channels) {
        for (int64_t i = 0; i < width; ++i) {
          const float apart = load(in[i]) - origin[i];
          sum[i] += apart;
          square[i] += apart * apart;
        }
      }
    }
    for (int64_t i = 0; i < width; ++i) {
      means[first + i] = origin[i] + sum[i] / count;
      squares[first + i] = std::max(0.f, square[i] - sum[i] * sum[i] / count);
    }
  }
}

CLONES void moments_float(const Rows &r, int64_t begin, int64_t end, float *means, float *squares) {
  for (int64_t b = begin; b < end; ++b) moments_of_block<float>(r, b, means + b * r.channels, squares + b * r.channels);
}

CLONES void moments_half(const Rows &r, int64_t begin, int64_t end, float *means, float *squares) {
  for (int64_t b = begin; b < end; ++b) moments_of_block<half>(r, b, means + b * r.channels, squares + b * r.channels);
}

template <typename T, bool ADDS, bool RELU>
INLINE void normalise(const Rows &r, const float *factor, const float *summand, int64_t begin, int64_t end) {
  const int64_t channels = r.channels;
  for (int64_t row = begin; row < end; ++row) {
    const T *in = static_cast<const T *>(r.in) + row * channels;
    const T *added = ADDS ? static_cast<const T *>(r.added) + row * channels : nullptr;
    T *out = static_cast<T *>(r.out) + row * channels;
#pragma omp simd
    for (int64_t i = 0; i < channels; ++i) {
      float value = load(in[i]) * factor[i] + summand[i];
      if (ADDS) value += load(added[i]);
      if (RELU) value = value < 0 ? 0 : value;
      store(out[i], value);
    }
  }
}

template <typename T>
INLINE void normalise(const Rows &r, const float *factor, const float *summand, int64_t begin, int64_t end) {
  if (r.added) return normalise<T, true, true>(r, factor, summand, begin, end);
  if (r.relu) return normalise<T, false, true>(r, factor, summand, begin, end);
  normalise<T, false, false>(r, factor, summand, begin, end);
}

CLONES void normalise_float(const Rows &r, const float *factor, const float *summand, int64_t begin, int64_t end) {
  normalise<float>(r, factor, summand, begin, end);
}

CLONES void normalise_half(const Rows &r, const float *factor, const float *summand, int64_t begin, int64_t end) {
  normalise<half>(r, factor, summand, begin, end);
}

// What comes back, and goes on back. `of_added` also keeps what came through the ReLU, where something was added.
struct Gradients {
  const void *of_out;
  void *of_in, *of_added;
  const float *mean, *rstd;
};

// Of a block, for each channel: the sum of what comes back through the ReLU, and of that times the distance from the mean.
template <typename T, bool ADDS, bool RELU>
INLINE void sums_of_block(const Rows &r, const Gradients &g, int64_t block, float *sums, float *products) {
  const int64_t channels = r.channels, begin = r.begin(block), end = r.end(block);
  for (int64_t first = 0; first < channels; first += TILE) {
    const int64_t width = std::min(TILE, channels - first), offset = begin * channels + first;
    const T *in = static_cast<const T *>(r.in) + offset, *up = static_cast<const T *>(g.of_out) + offset;
    const T *out = static_cast<const T *>(r.out) + offset;
    T *through = ADDS ? static_cast<T *>(g.of_added) + offset : nullptr;
    float mean[TILE] = {}, sum[TILE] = {}, product[TILE] = {};
    for (int64_t i = 0; i < width; ++i) mean[i] = g.mean[first + i];
    for (int64_t row = begin; row < end; ++row, in += channels, up += channels, out += channels) {
      const auto one = [&](int64_t i) __attribute__((always_inline)) {
        const float all = load(up[i]), back = RELU ? (load(out[i]) > 0 ? all : 0) : all;
        if (ADDS) store(through[i], back);
        sum[i] += back;
        product[i] += back * (load(in[i]) - mean[i]);
      };
      if (width == TILE) {
#pragma omp simd
        for (int64_t i = 0; i < TILE; ++i) one(i);
      } else {
        for (int64_t i = 0; i < width; ++i) one(i);
      }
      if (ADDS) through += channels;
    }
    for (int64_t i = 0; i < width; ++i) sums[first + i] = sum[i], products[first + i] = product[i];
  }
}

template <typename T>
INLINE void sums(const Rows &r, const Gradients &g, int64_t begin, int64_t end, float *sums, float *products) {
  for (int64_t block = begin; block < end; ++block) {
    float *sum = sums + block * r.channels, *product = products + block * r.channels;
    if (r.added) sums_of_block<T, true, true>(r, g, block, sum, product);
    else if (r.relu) sums_of_block<T, false, true>(r, g, block, sum, product);
    else sums_of_block<T, false, false>(r, g, block, sum, product);
  }
}

CLONES void sums_float(const Rows &r, const Gradients &g, int64_t begin, int64_t end, float *sum, float *product) {
  sums<float>(r, g, begin, end, sum, product);
}

CLONES void sums_half(const Rows &r, const Gradients &g, int64_t begin, int64_t end, float *sum, float *product) {
  sums<half>(r, g, begin, end, sum, product);
}

// The gradient of the input: what came back, times `factor`, less the input times `slope`, less `rest`.
struct Line {
  std::vector<float> factor, slope, rest;
};

template <typename T, bool ADDS, bool RELU>
INLINE void back(const Rows &r, const Gradients &g, const Line &line, int64_t begin, int64_t end) {
  const int64_t channels = r.channels;
  const float *factor = line.factor.data(), *slope = line.slope.data(), *rest = line.rest.data();
  for (int64_t row = begin; row < end; ++row) {
    const int64_t offset = row * channels;
    const T *in = static_cast<const T *>(r.in) + offset, *out = static_cast<const T *>(r.out) + offset;
    const T *up = static_cast<const T *>(ADDS ? g.of_added : g.of_out) + offset;
    T *of_in = static_cast<T *>(g.of_in) + offset;
#pragma omp simd
    for (int64_t i = 0; i < channels; ++i) {
      const float all = load(up[i]), back = !ADDS && RELU ? (load(out[i]) > 0 ? all : 0) : all;
      store(of_in[i], back * factor[i] - load(in[i]) * slope[i] - rest[i]);
    }
  }
}

template <typename T> INLINE void back(const Rows &r, const Gradients &g, const Line &line, int64_t begin, int64_t end) {
  if (r.added) return back<T, true, true>(r, g, line, begin, end);
  if (r.relu) return back<T, false, true>(r, g, line, begin, end);
  back<T, false, false>(r, g, line, begin, end);
}

CLONES void back_float(const Rows &r, const Gradients &g, const Line &line, int64_t begin, int64_t end) {
  back<float>(r, g, line, begin, end);
}

CLONES void back_half(const Rows &r, const Gradients &g, const Line &line, int64_t begin, int64_t end) {
  back<half>(r, g, line, begin, end);
}

Rows rows(const at::Tensor &in, const at::Tensor &added, const at::Tensor &out, bool relu) {
  Rows r{};
  r.channels = in.size(1), r.count = in.numel() / std::max<int64_t>(1, in.size(1)), r.relu = relu;
  r.in = in.const_data_ptr();
  r.added = added.defined() ? added.const_data_ptr() : nullptr;
  r.out = const_cast<void *>(out.const_data_ptr());
  return r;
}

// Rows that one thread takes at least: less is not worth waking another.
int64_t grain(const Rows &r) { return std::max<int64_t>(1, BLOCK_VALUES / r.channels); }

struct BatchNorm : torch::autograd::Function<BatchNorm> {
  static at::Tensor forward(AutogradContext *context, at::Tensor in, std::optional<at::Tensor> to_add,
                            at::Tensor weight, at::Tensor bias, at::Tensor running_mean, at::Tensor running_var,
                            double momentum, double eps, bool relu) {
    const auto layout = at::MemoryFormat::ChannelsLast;
    const bool is_half = in.scalar_type() == at::kBFloat16;
    in = in.contiguous(layout);
    at::Tensor added = to_add ? to_add->contiguous(layout) : at::Tensor();
    auto out = at::empty(in.sizes(), in.options(), layout);
    auto mean = at::empty(weight.sizes(), weight.options().requires_grad(false)), rstd = at::empty_like(mean);
    const Rows r = rows(in, added, out, relu);

    const int64_t channels = r.channels, blocks = r.blocks();
    std::vector<float> means(blocks * channels), squares(blocks * channels);
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      (is_half ? moments_half : moments_float)(r, begin, end, means.data(), squares.data());
    });
    std::vector<float> factor(channels), summand(channels);
    float *its_mean = mean.data_ptr<float>(), *its_rstd = rstd.data_ptr<float>();
    float *moved_mean = running_mean.data_ptr<float>(), *moved_var = running_var.data_ptr<float>();
    const float *scale = weight.const_data_ptr<float>(), *shift = bias.const_data_ptr<float>();
    std::vector<double> whole(channels), square(channels);
    for (int64_t b = 0; b < blocks; ++b) {
      const double share = double(r.end(b) - r.begin(b)) / r.count;
      for (int64_t c = 0; c < channels; ++c) whole[c] += means[b * channels + c] * share;
    }
    for (int64_t b = 0; b < blocks; ++b) {
      const double count = r.end(b) - r.begin(b);
      for (int64_t c = 0; c < channels; ++c) {
        const double apart = means[b * channels + c] - whole[c];
        square[c] += squares[b * channels + c] + apart * apart * count;
      }
    }
    for (int64_t c = 0; c < channels; ++c) {
      its_mean[c] = whole[c];
      its_rstd[c] = 1 / std::sqrt(square[c] / r.count + eps);
      factor[c] = its_rstd[c] * scale[c];
      summand[c] = shift[c] - its_mean[c] * factor[c];
      // The running variance is that of the whole of which this batch is a sample.
      const double sampled = square[c] / std::max<int64_t>(1, r.count - 1);
      moved_mean[c] += momentum * (whole[c] - moved_mean[c]);
      moved_var[c] += momentum * (sampled - moved_var[c]);
    }
    at::parallel_for(0, r.count, grain(r), [&](int64_t begin, int64_t end) {
      (is_half ? normalise_half : normalise_float)(r, factor.data(), summand.data(), begin, end);
    });
    context->save_for_backward({in, added, out, weight, mean, rstd});
    context->saved_data["relu"] = relu;
    return out;
  }

  static variable_list backward(AutogradContext *context, variable_list ups) {
    auto saved = context->get_saved_variables();
    const at::Tensor &in = saved[0], &added = saved[1], &out = saved[2], &weight = saved[3];
    const bool is_half = in.scalar_type() == at::kBFloat16;
    const at::Tensor of_out = ups[0].contiguous(at::MemoryFormat::ChannelsLast);
    auto of_in = at::empty_like(in), of_added = added.defined() ? at::empty_like(added) : at::Tensor();
    auto of_weight = at::empty_like(saved[4]), of_bias = at::empty_like(saved[4]);
    const Rows r = rows(in, added, out, context->saved_data["relu"].toBool());
    Gradients g{};
    g.of_out = of_out.const_data_ptr(), g.of_in = of_in.data_ptr();
    g.of_added = added.defined() ? of_added.data_ptr() : nullptr;
    g.mean = saved[4].const_data_ptr<float>(), g.rstd = saved[5].const_data_ptr<float>();

    const int64_t channels = r.channels, blocks = r.blocks();
    std::vector<float> sum(blocks * channels), product(blocks * channels);
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      (is_half ? sums_half : sums_float)(r, g, begin, end, sum.data(), product.data());
    });
    Line line{std::vector<float>(channels), std::vector<float>(channels), std::vector<float>(channels)};
    const float *scale = weight.const_data_ptr<float>();
    std::vector<double> sums(channels), products(channels);
    for (int64_t b = 0; b < blocks; ++b) {
      for (int64_t c = 0; c < channels; ++c) sums[c] += sum[b * channels + c], products[c] += product[b * channels + c];
    }
    for (int64_t c = 0; c < channels; ++c) {
      const double all = sums[c], times = products[c];
      const double mean = g.mean[c], rstd = g.rstd[c], factor = scale[c] * rstd;
      of_bias.data_ptr<float>()[c] = all;
      of_weight.data_ptr<float>()[c] = times * rstd;
      const double slope = factor * rstd * rstd * times / r.count;
      line.factor[c] = factor;
      line.slope[c] = slope;
      line.rest[c] = factor * all / r.count - mean * slope;
    }
    at::parallel_for(0, r.count, grain(r), [&](int64_t begin, int64_t end) {
      (is_half ? back_half : back_float)(r, g, line, begin, end);
    });
    const at::Tensor none;
    return {of_in, of_added, of_weight, of_bias, none, none, none, none, none};
  }
};

} // namespace

extern "C" {

// Writes a new tensor to `result`, which the caller owns.
char *rekindle_batch_norm(const at::Tensor *in, const at::Tensor *added, const at::Tensor *weight,
                          const at::Tensor *bias, const at::Tensor *running_mean, const at::Tensor *running_var,
                          double momentum, double eps, bool relu, at::Tensor **result) {
  return caught([&] {
    auto to_add = added ? std::make_optional(*added) : std::nullopt;
    *result = new at::Tensor(
        BatchNorm::apply(*in, to_add, *weight, *bias, *running_mean, *running_var, momentum, eps, relu));
  });
}
}
