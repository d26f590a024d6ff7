// Adaptive layer norm with the residual before it and the bias of the layer that this comes from, forward and backward in one pass each, on the CPU. Composed of
// libtorch's operations, each would be a pass of its own through memory; between matrix products, memory is what costs.

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <cstring>
#include <optional>

#include "caught.h"
#include "columns.h"
#include "values.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Where everything lies. Rows of `gate`, `shift` and `scale` belong to an image each, and may lie apart.
struct Rows {
  int64_t images, tokens, width;
  float eps;
  const float *in, *gate, *shift, *scale;
  int64_t gate_stride, shift_stride, scale_stride;
  const void *added;
  const float *bias;
  float *out, *mean, *rstd;
  void *modulated;
};

template <typename T> INLINE void forward_row(const Rows &r, int64_t row) {
  const int64_t image = row / r.tokens, width = r.width;
  const float *in = r.in + row * width;
  float *out = r.out + row * width;
  if (r.added) {
    const T *added = static_cast<const T *>(r.added) + row * width;
    const float *gate = r.gate + image * r.gate_stride;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) out[i] = in[i] + gate[i] * (load(added[i]) + r.bias[i]);
    in = out;
  }
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < width; ++i) sum += in[i];
  const float mean = sum / width;
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < width; ++i) squares += (in[i] - mean) * (in[i] - mean);
  const float rstd = 1 / std::sqrt(squares / width + r.eps);
  const float *shift = r.shift + image * r.shift_stride, *scale = r.scale + image * r.scale_stride;
  T *modulated = static_cast<T *>(r.modulated) + row * width;
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) store(modulated[i], (in[i] - mean) * rstd * (1 + scale[i]) + shift[i]);
  r.mean[row] = mean;
  r.rstd[row] = rstd;
}

CLONES void forward_rows_float(const Rows &r, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) forward_row<float>(r, row);
}

CLONES void forward_rows_half(const Rows &r, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) forward_row<half>(r, row);
}

// The gradients, where they lie. `of_out` is null where nothing comes back that way.
struct Gradients {
  const float *of_out;
  const void *of_modulated;
  float *of_in, *of_gate, *of_shift, *of_scale;
  void *of_added;
  // One for each image, to be summed.
  float *of_bias;
};

// All tokens of an image, because what comes back to its gate, shift and scale is summed over them, in their order.
template <typename T> INLINE void backward_image(const Rows &r, const Gradients &g, int64_t image) {
  const int64_t width = r.width;
  const float *scale = r.scale + image * r.scale_stride;
  const float *gate = r.added ? r.gate + image * r.gate_stride : nullptr;
  float *of_shift = g.of_shift + image * width, *of_scale = g.of_scale + image * width;
  float *of_gate = r.added ? g.of_gate + image * width : nullptr;
  float *of_bias = r.added ? g.of_bias + image * width : nullptr;
  std::memset(of_shift, 0, width * sizeof(float));
  std::memset(of_scale, 0, width * sizeof(float));
  if (of_gate) std::memset(of_gate, 0, width * sizeof(float));
  for (int64_t row = image * r.tokens; row < (image + 1) * r.tokens; ++row) {
    const float mean = r.mean[row], rstd = r.rstd[row];
    const float *in = r.out + row * width;
    const T *of_modulated = static_cast<const T *>(g.of_modulated) + row * width;
    float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (int64_t i = 0; i < width; ++i) {
      const float up = load(of_modulated[i]), normal = (in[i] - mean) * rstd, back = up * (1 + scale[i]);
      of_shift[i] += up;
      of_scale[i] += up * normal;
      sum += back;
      product += back * normal;
    }
    const float a = sum / width, b = product / width;
    float *of_in = g.of_in + row * width;
    const float *of_out = g.of_out ? g.of_out + row * width : nullptr;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      const float normal = (in[i] - mean) * rstd, back = load(of_modulated[i]) * (1 + scale[i]);
      of_in[i] = rstd * (back - a - normal * b);
    }
    if (of_out) {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) of_in[i] += of_out[i];
    }
    if (of_gate) {
      const T *added = static_cast<const T *>(r.added) + row * width;
      T *of_added = static_cast<T *>(g.of_added) + row * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) {
        const float back = of_in[i] * gate[i];
        of_gate[i] += of_in[i] * (load(added[i]) + r.bias[i]);
        of_bias[i] += back;
        store(of_added[i], back);
      }
    }
  }
}

CLONES void backward_images_float(const Rows &r, const Gradients &g, int64_t begin, int64_t end) {
  for (int64_t image = begin; image < end; ++image) backward_image<float>(r, g, image);
}

CLONES void backward_images_half(const Rows &r, const Gradients &g, int64_t begin, int64_t end) {
  for (int64_t image = begin; image < end; ++image) backward_image<half>(r, g, image);
}

// Each row by itself without holes; rows may lie apart.
at::Tensor rows_of(const at::Tensor &tensor) { return tensor.stride(1) == 1 ? tensor : tensor.contiguous(); }

Rows rows(const at::Tensor &in, const at::Tensor &gate, const at::Tensor &added, const at::Tensor &bias,
          const at::Tensor &shift, const at::Tensor &scale, const at::Tensor &out, const at::Tensor &mean, const at::Tensor &rstd) {
  Rows r{};
  r.images = in.size(0), r.tokens = in.size(1), r.width = in.size(2);
  r.in = in.const_data_ptr<float>();
  r.shift = shift.const_data_ptr<float>(), r.shift_stride = shift.stride(0);
  r.scale = scale.const_data_ptr<float>(), r.scale_stride = scale.stride(0);
  if (added.defined()) {
    r.gate = gate.const_data_ptr<float>(), r.gate_stride = gate.stride(0);
    r.added = added.const_data_ptr(), r.bias = bias.const_data_ptr<float>();
  }
  r.out = const_cast<float *>(out.const_data_ptr<float>());
  r.mean = const_cast<float *>(mean.const_data_ptr<float>());
  r.rstd = const_cast<float *>(rstd.const_data_ptr<float>());
  return r;
}

struct AdaNorm : torch::autograd::Function<AdaNorm> {
  static variable_list forward(AutogradContext *context, at::Tensor in, std::optional<at::Tensor> its_gate,
                               std::optional<at::Tensor> to_add, std::optional<at::Tensor> its_bias, at::Tensor shift,
                               at::Tensor scale, double eps, bool is_half) {
    const bool adds = to_add.has_value();
    at::Tensor gate = its_gate.value_or(at::Tensor()), added = to_add.value_or(at::Tensor());
    at::Tensor bias = its_bias.value_or(at::Tensor());
    in = in.contiguous(), shift = rows_of(shift), scale = rows_of(scale);
    if (adds) gate = rows_of(gate), added = added.contiguous();
    auto out = adds ? at::empty_like(in) : in;
    auto modulated = at::empty(in.sizes(), in.options().dtype(is_half ? at::kBFloat16 : at::kFloat));
    auto mean = at::empty({in.size(0) * in.size(1)}, in.options()), rstd = at::empty_like(mean);
    Rows r = rows(in, gate, added, bias, shift, scale, out, mean, rstd);
    r.modulated = modulated.data_ptr(), r.eps = eps;
    at::parallel_for(0, r.images * r.tokens, 16, [&](int64_t begin, int64_t end) {
      is_half ? forward_rows_half(r, begin, end) : forward_rows_float(r, begin, end);
    });
    context->save_for_backward({out, gate, added, bias, shift, scale, mean, rstd});
    context->set_materialize_grads(false);
    context->saved_data["half"] = is_half;
    if (adds) return {out, modulated};
    return {modulated};
  }

  static variable_list backward(AutogradContext *context, variable_list ups) {
    auto saved = context->get_saved_variables();
    const at::Tensor &out = saved[0], &gate = saved[1], &added = saved[2], &bias = saved[3];
    const at::Tensor &shift = saved[4], &scale = saved[5];
    const bool adds = added.defined(), is_half = context->saved_data["half"].toBool();
    const at::Tensor of_modulated = ups.back().contiguous();
    const at::Tensor of_out = adds && ups[0].defined() ? ups[0].contiguous() : at::Tensor();
    auto of_in = at::empty_like(out);
    auto per_image = [&] { return at::empty({out.size(0), out.size(2)}, out.options()); };
    auto of_shift = per_image(), of_scale = per_image();
    auto of_gate = adds ? per_image() : at::Tensor();
    auto of_added = adds ? at::empty_like(added) : at::Tensor();
    ColumnSums of_bias(adds ? out.size(0) : 0, out.size(2));
    Rows r = rows(out, gate, added, bias, shift, scale, out, saved[6], saved[7]);
    Gradients g{};
    g.of_out = of_out.defined() ? of_out.const_data_ptr<float>() : nullptr;
    g.of_modulated = of_modulated.const_data_ptr();
    g.of_in = of_in.data_ptr<float>();
    g.of_shift = of_shift.data_ptr<float>(), g.of_scale = of_scale.data_ptr<float>();
    if (adds) g.of_gate = of_gate.data_ptr<float>(), g.of_added = of_added.data_ptr(), g.of_bias = of_bias.block(0);
    at::parallel_for(0, r.images, 1, [&](int64_t begin, int64_t end) {
      is_half ? backward_images_half(r, g, begin, end) : backward_images_float(r, g, begin, end);
    });
    const at::Tensor to_bias = adds ? of_bias.total() : at::Tensor();
    return {of_in, of_gate, of_added, to_bias, of_shift, of_scale, at::Tensor(), at::Tensor()};
  }
};

} // namespace

extern "C" {

// Writes two new tensors to `results`: the sum, null where nothing is added, and what it is modulated to. The caller owns
// them.
char *rekindle_ada_norm(const at::Tensor *in, const at::Tensor *gate, const at::Tensor *added, const at::Tensor *bias,
                        const at::Tensor *shift, const at::Tensor *scale, double eps, bool is_half, at::Tensor **results) {
  return caught([&] {
    auto given = [](const at::Tensor *tensor) { return tensor ? std::make_optional(*tensor) : std::nullopt; };
    auto out = AdaNorm::apply(*in, given(gate), given(added), given(bias), *shift, *scale, eps, is_half);
    results[0] = added ? new at::Tensor(out[0]) : nullptr;
    results[1] = new at::Tensor(out.back());
  });
}
}
