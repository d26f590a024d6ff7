// GELU in the form with the hyperbolic tangent (Hendrycks & Gimpel, arXiv 1606.08415) of what a layer comes to, with the layer's
// bias, forward and backward in one pass each, on the CPU.
// Libtorch takes a tangent that is right to the last digit, which costs more than all else that this operation does.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "caught.h"
#include "columns.h"
#include "values.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// sqrt(2 / pi), and the weight of the cube.
constexpr float SLOPE = 0.7978845608f, CUBIC = 0.044715f;
constexpr float LOG2_E = 1.4426950409f;
// So many rows are worth another thread.
constexpr int64_t ROWS = 32;

// Two to a power, to some 2e-7 of it, from 2^-100 to 2^100. Further out, nothing is left of a share; what is multiplied by
// less may be too small for a normal float, with which processors take a hundred times as long.
INLINE float exp2_of(float power) {
  power = power < -100 ? -100 : power;
  power = power > 100 ? 100 : power;
  // The sum's last bits are the nearest whole number.
  constexpr float SHIFT = 12582912;
  const float shifted = power + SHIFT, rest = power - (shifted - SHIFT);
  // The series of 2^rest, for rests of half at most.
  float value = 1.5403530e-4f;
  value = value * rest + 1.3333558e-3f;
  value = value * rest + 9.6181291e-3f;
  value = value * rest + 5.5504109e-2f;
  value = value * rest + 2.4022651e-1f;
  value = value * rest + 6.9314718e-1f;
  value = value * rest + 1;
  uint32_t whole, bits;
  std::memcpy(&whole, &shifted, sizeof whole);
  std::memcpy(&bits, &value, sizeof bits);
  bits += whole << 23;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// (1 + tanh(SLOPE * (x + CUBIC * x^3))) / 2, which is a logistic function of twice that.
INLINE float share(float x) {
  const float twice = 2 * SLOPE * x * (1 + CUBIC * x * x);
  return 1 / (1 + exp2_of(-LOG2_E * twice));
}

// Rows of so many values, and what is added to each before anything else.
struct Rows {
  const void *in;
  const float *bias;
  int64_t width;
};

template <typename T> INLINE void forward(const Rows &r, void *to, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const T *in = static_cast<const T *>(r.in) + row * r.width;
    T *out = static_cast<T *>(to) + row * r.width;
#pragma omp simd
    for (int64_t i = 0; i < r.width; ++i) {
      const float x = load(in[i]) + r.bias[i];
      store(out[i], x * share(x));
    }
  }
}

template <typename T>
INLINE void backward(const Rows &r, const void *up, void *down, float *of_bias, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const T *in = static_cast<const T *>(r.in) + row * r.width;
    const T *of_out = static_cast<const T *>(up) + row * r.width;
    T *of_in = static_cast<T *>(down) + row * r.width;
#pragma omp simd
    for (int64_t i = 0; i < r.width; ++i) {
      const float x = load(in[i]) + r.bias[i], s = share(x);
      const float inner = 2 * SLOPE * (1 + 3 * CUBIC * x * x);
      const float back = load(of_out[i]) * s * (1 + x * (1 - s) * inner);
      store(of_in[i], back);
      of_bias[i] += back;
    }
  }
}

CLONES void forward_float(const Rows &r, void *out, int64_t begin, int64_t end) { forward<float>(r, out, begin, end); }

CLONES void forward_half(const Rows &r, void *out, int64_t begin, int64_t end) { forward<half>(r, out, begin, end); }

CLONES void backward_float(const Rows &r, const void *up, void *down, float *of_bias, int64_t begin, int64_t end) {
  backward<float>(r, up, down, of_bias, begin, end);
}

CLONES void backward_half(const Rows &r, const void *up, void *down, float *of_bias, int64_t begin, int64_t end) {
  backward<half>(r, up, down, of_bias, begin, end);
}

struct Gelu : torch::autograd::Function<Gelu> {
  static at::Tensor forward(AutogradContext *context, at::Tensor in, at::Tensor bias) {
    in = in.contiguous();
    auto out = at::empty_like(in);
    const bool is_half = in.scalar_type() == at::kBFloat16;
    const Rows r{in.const_data_ptr(), bias.const_data_ptr<float>(), bias.numel()};
    void *to = out.data_ptr();
    at::parallel_for(0, in.numel() / r.width, ROWS, [&](int64_t begin, int64_t end) {
      is_half ? forward_half(r, to, begin, end) : forward_float(r, to, begin, end);
    });
    context->save_for_backward({in, bias});
    return out;
  }

  static variable_list backward(AutogradContext *context, variable_list ups) {
    auto saved = context->get_saved_variables();
    const at::Tensor &in = saved[0], &bias = saved[1], up = ups[0].contiguous();
    auto of_in = at::empty_like(in);
    const bool is_half = in.scalar_type() == at::kBFloat16;
    const Rows r{in.const_data_ptr(), bias.const_data_ptr<float>(), bias.numel()};
    const void *from = up.const_data_ptr();
    void *to = of_in.data_ptr();
    const int64_t rows = in.numel() / r.width, blocks = (rows + ROWS - 1) / ROWS;
    ColumnSums of_bias(blocks, r.width);
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * ROWS, last = std::min(first + ROWS, rows);
        is_half ? backward_half(r, from, to, of_bias.block(block), first, last)
                : backward_float(r, from, to, of_bias.block(block), first, last);
      }
    });
    return {of_in, of_bias.total()};
  }
};

} // namespace

extern "C" {

// Values (…, width) and a bias (width) in fp32. Writes a new tensor to `result`, which the caller owns.
char *rekindle_gelu(const at::Tensor *in, const at::Tensor *bias, at::Tensor **result) {
  return caught([&] { *result = new at::Tensor(Gelu::apply(*in, *bias)); });
}
}
