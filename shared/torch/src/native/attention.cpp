// Attention of short sequences in bf16 on the CPU, written out as products of whole batches, since libtorch's fused kernel
// walks through small products one by one there. Composed of libtorch's operations outside of here, queries, keys and values
// would be copied again for each product, forward and backward.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_softmax.h>
#include <ATen/ops/_softmax_backward_data.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <cstring>

#include "caught.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Vectors of so many bytes in one of two orders: joined, (N, T, parts, heads), as a layer makes them, and apart, (parts, N,
// heads, T), as products of batches want them.
struct Heads {
  int64_t images, tokens, parts, heads, bytes;

  void part(const void *joined, void *apart) const {
    each([&](int64_t place, int64_t place_apart) {
      std::memcpy(static_cast<char *>(apart) + place_apart, static_cast<const char *>(joined) + place, bytes);
    });
  }

  void join(const void *apart, void *joined) const {
    each([&](int64_t place, int64_t place_apart) {
      std::memcpy(static_cast<char *>(joined) + place, static_cast<const char *>(apart) + place_apart, bytes);
    });
  }

private:
  template <typename F> void each(F &&move) const {
    at::parallel_for(0, images * tokens, 64, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t image = row / tokens, token = row % tokens;
        for (int64_t part = 0; part < parts; ++part) {
          for (int64_t head = 0; head < heads; ++head) {
            move(((row * parts + part) * heads + head) * bytes,
                 (((part * images + image) * heads + head) * tokens + token) * bytes);
          }
        }
      }
    });
  }
};

struct Attention : torch::autograd::Function<Attention> {
  // (N, T, 3 W) to (N, T, W).
  static at::Tensor forward(AutogradContext *context, at::Tensor joined, int64_t heads) {
    at::AutoDispatchBelowADInplaceOrView untracked;
    joined = joined.contiguous();
    const int64_t images = joined.size(0), tokens = joined.size(1), width = joined.size(2) / 3, depth = width / heads;
    const int64_t bytes = depth * static_cast<int64_t>(joined.element_size());
    auto parts = at::empty({3, images * heads, tokens, depth}, joined.options());
    Heads{images, tokens, 3, heads, bytes}.part(joined.const_data_ptr(), parts.data_ptr());
    auto scores = at::bmm(parts[0], parts[1].transpose(1, 2)).mul_(1 / std::sqrt(static_cast<double>(depth)));
    auto shares = at::_softmax(scores, -1, /*half_to_float=*/false);
    auto by_head = at::bmm(shares, parts[2]).contiguous();
    auto attended = at::empty({images, tokens, width}, joined.options());
    Heads{images, tokens, 1, heads, bytes}.join(by_head.const_data_ptr(), attended.data_ptr());
    context->save_for_backward({parts, shares});
    context->saved_data["images"] = images;
    return attended;
  }

  static variable_list backward(AutogradContext *context, variable_list ups) {
    at::AutoDispatchBelowADInplaceOrView untracked;
    auto saved = context->get_saved_variables();
    const at::Tensor &parts = saved[0], &shares = saved[1], joined_up = ups[0].contiguous();
    const int64_t images = context->saved_data["images"].toInt(), heads = parts.size(1) / images;
    const int64_t tokens = parts.size(2), depth = parts.size(3);
    const int64_t bytes = depth * static_cast<int64_t>(parts.element_size());
    auto up = at::empty(parts[0].sizes(), parts.options());
    Heads{images, tokens, 1, heads, bytes}.part(joined_up.const_data_ptr(), up.data_ptr());
    auto of_shares = at::bmm(up, parts[2].transpose(1, 2));
    auto of_scores = at::_softmax_backward_data(of_shares, shares, -1, shares.scalar_type());
    of_scores.mul_(1 / std::sqrt(static_cast<double>(depth)));
    auto of_parts = at::empty_like(parts);
    at::Tensor of_queries = of_parts[0], of_keys = of_parts[1], of_values = of_parts[2];
    at::bmm_out(of_queries, of_scores, parts[1]);
    at::bmm_out(of_keys, of_scores.transpose(1, 2), parts[0]);
    at::bmm_out(of_values, shares.transpose(1, 2), up);
    auto of_joined = at::empty({images, tokens, 3 * heads * depth}, parts.options());
    Heads{images, tokens, 3, heads, bytes}.join(of_parts.const_data_ptr(), of_joined.data_ptr());
    return {of_joined, at::Tensor()};
  }
};

} // namespace

extern "C" {

// Queries, keys and values lie side by side, in each the heads. Writes a new tensor to `result`, which the caller owns.
char *rekindle_attention(const at::Tensor *joined, int64_t heads, at::Tensor **result) {
  return caught([&] { *result = new at::Tensor(Attention::apply(*joined, heads)); });
}
}
