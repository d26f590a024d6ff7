// GELU in the form with the hyperbolic tangent (Hendrycks & Gimpel, arXiv 1606.08415), forward and backward, on the CPU.
// Libtorch takes a tangent that is right to the last digit, which costs more than all else that this operation does.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "caught.h"
#include "values.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// sqrt(2 / pi), and the weight of the cube.
constexpr float SLOPE = 0.7978845608f, CUBIC = 0.044715f;
constexpr float LOG2_E = 1.4426950409f;
// So many values are worth another thread.
constexpr int64_t GRAIN = 4096;

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

template <typename T> INLINE void forward(const T *in, T *out, int64_t begin, int64_t end) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const float x = load(in[i]);
    store(out[i], x * share(x));
  }
}

template <typename T> INLINE void backward(const T *in, const T *of_out, T *of_in, int64_t begin, int64_t end) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const float x = load(in[i]), s = share(x);
    const float inner = 2 * SLOPE * (1 + 3 * CUBIC * x * x);
    store(of_in[i], load(of_out[i]) * s * (1 + x * (1 - s) * inner));
  }
}

CLONES void forward_float(const float *in, float *out, int64_t begin, int64_t end) { forward(in, out, begin, end); }

CLONES void forward_half(const half *in, half *out, int64_t begin, int64_t end) { forward(in, out, begin, end); }

CLONES void backward_float(const float *in, const float *of_out, float *of_in, int64_t begin, int64_t end) {
  backward(in, of_out, of_in, begin, end);
}

CLONES void backward_half(const half *in, const half *of_out, half *of_in, int64_t begin, int64_t end) {
  backward(in, of_out, of_in, begin, end);
}

template <typename T> const T *from(const at::Tensor &tensor) { return static_cast<const T *>(tensor.const_data_ptr()); }
template <typename T> T *to(const at::Tensor &tensor) { return static_cast<T *>(tensor.data_ptr()); }

struct Gelu : torch::autograd::Function<Gelu> {
  static at::Tensor forward(AutogradContext *context, at::Tensor in) {
    in = in.contiguous();
    auto out = at::empty_like(in);
    const bool is_half = in.scalar_type() == at::kBFloat16;
    at::parallel_for(0, in.numel(), GRAIN, [&](int64_t begin, int64_t end) {
      is_half ? forward_half(from<half>(in), to<half>(out), begin, end)
              : forward_float(from<float>(in), to<float>(out), begin, end);
    });
    context->save_for_backward({in});
    return out;
  }

  static variable_list backward(AutogradContext *context, variable_list ups) {
    const at::Tensor in = context->get_saved_variables()[0], up = ups[0].contiguous();
    auto of_in = at::empty_like(in);
    const bool is_half = in.scalar_type() == at::kBFloat16;
    at::parallel_for(0, in.numel(), GRAIN, [&](int64_t begin, int64_t end) {
      is_half ? backward_half(from<half>(in), from<half>(up), to<half>(of_in), begin, end)
              : backward_float(from<float>(in), from<float>(up), to<float>(of_in), begin, end);
    });
    return {of_in};
  }
};

} // namespace

extern "C" {

// Writes a new tensor to `result`, which the caller owns.
char *rekindle_gelu(const at::Tensor *in, at::Tensor **result) {
  return caught([&] { *result = new at::Tensor(Gelu::apply(*in)); });
}
}
