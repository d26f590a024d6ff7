// Attention of short sequences on the CPU, written out as products of whole batches, since libtorch's fused kernel walks through
// small products one by one there. Composed of libtorch's operations outside of here, queries, keys and values would be copied
// again for each product, forward and backward; here they are copied once, and given the bias of their layer and the scale of the
// scores on the way.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_softmax.h>
#include <ATen/ops/_softmax_backward_data.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "caught.h"
#include "columns.h"
#include "values.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// So many tokens are worth another thread.
constexpr int64_t ROWS = 32;

// Vectors in one of two orders: joined, (images, tokens, parts, heads, depth), as a layer makes them, and apart, (parts, images,
// heads, tokens, depth), as products of batches want them.
struct Heads {
  int64_t images, tokens, parts, heads, depth;

  int64_t rows() const { return images * tokens; }
  int64_t width() const { return parts * heads * depth; }
  int64_t apart(int64_t row, int64_t part, int64_t head) const {
    return (((part * images + row / tokens) * heads + head) * tokens + row % tokens) * depth;
  }
};

// What the first part, the queries, is multiplied with, so that scores need not be.
float factor(const Heads &h, int64_t part) { return part == 0 ? 1 / std::sqrt(static_cast<float>(h.depth)) : 1; }

// Queries, keys and values with their bias, apart.
template <typename T> INLINE void part(const Heads &h, const void *joined, const float *bias, void *apart, int64_t row) {
  const T *from = static_cast<const T *>(joined) + row * h.width();
  for (int64_t part = 0; part < h.parts; ++part) {
    const float scale = factor(h, part);
    for (int64_t head = 0; head < h.heads; ++head, from += h.depth, bias += h.depth) {
      T *to = static_cast<T *>(apart) + h.apart(row, part, head);
#pragma omp simd
      for (int64_t i = 0; i < h.depth; ++i) store(to[i], (load(from[i]) + bias[i]) * scale);
    }
  }
}

// What comes back to them, joined, and what of it comes back to the bias.
template <typename T> INLINE void join(const Heads &h, const void *apart, void *joined, float *of_bias, int64_t row) {
  T *to = static_cast<T *>(joined) + row * h.width();
  for (int64_t part = 0; part < h.parts; ++part) {
    const float scale = factor(h, part);
    for (int64_t head = 0; head < h.heads; ++head, to += h.depth, of_bias += h.depth) {
      const T *from = static_cast<const T *>(apart) + h.apart(row, part, head);
#pragma omp simd
      for (int64_t i = 0; i < h.depth; ++i) {
        const float back = load(from[i]) * scale;
        store(to[i], back);
        of_bias[i] += back;
      }
    }
  }
}

CLONES void part_float(const Heads &h, const void *joined, const float *bias, void *apart, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) part<float>(h, joined, bias, apart, row);
}

CLONES void part_half(const Heads &h, const void *joined, const float *bias, void *apart, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) part<half>(h, joined, bias, apart, row);
}

CLONES void join_float(const Heads &h, const void *apart, void *joined, float *of_bias, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) join<float>(h, apart, joined, of_bias, row);
}

CLONES void join_half(const Heads &h, const void *apart, void *joined, float *of_bias, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) join<half>(h, apart, joined, of_bias, row);
}

// Vectors of one part as they are, from one order to the other.
template <bool APART> void move(const Heads &h, const at::Tensor &from, at::Tensor &to) {
  const int64_t bytes = h.depth * static_cast<int64_t>(from.element_size());
  const char *source = static_cast<const char *>(from.const_data_ptr());
  char *target = static_cast<char *>(to.data_ptr());
  at::parallel_for(0, h.rows(), ROWS, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t head = 0; head < h.heads; ++head) {
        const int64_t joined = (row * h.heads + head) * bytes, apart = h.apart(row, 0, head) / h.depth * bytes;
        APART ? std::memcpy(target + apart, source + joined, bytes) : std::memcpy(target + joined, source + apart, bytes);
      }
    }
  });
}

struct Attention : torch::autograd::Function<Attention> {
  // (N, T, 3 W) and (3 W) to (N, T, W).
  static at::Tensor forward(AutogradContext *context, at::Tensor joined, at::Tensor bias, int64_t heads) {
    at::AutoDispatchBelowADInplaceOrView untracked;
    joined = joined.contiguous();
    const int64_t images = joined.size(0), tokens = joined.size(1), width = joined.size(2) / 3, depth = width / heads;
    const Heads three{images, tokens, 3, heads, depth}, one{images, tokens, 1, heads, depth};
    const bool is_half = joined.scalar_type() == at::kBFloat16;
    auto parts = at::empty({3, images * heads, tokens, depth}, joined.options());
    const void *from = joined.const_data_ptr();
    const float *added = bias.const_data_ptr<float>();
    void *to = parts.data_ptr();
    at::parallel_for(0, three.rows(), ROWS, [&](int64_t begin, int64_t end) {
      is_half ? part_half(three, from, added, to, begin, end) : part_float(three, from, added, to, begin, end);
    });
    auto shares = at::_softmax(at::bmm(parts[0], parts[1].transpose(1, 2)), -1, /*half_to_float=*/false);
    auto by_head = at::bmm(shares, parts[2]).contiguous();
    auto attended = at::empty({images, tokens, width}, joined.options());
    move<false>(one, by_head, attended);
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
    const Heads three{images, tokens, 3, heads, depth}, one{images, tokens, 1, heads, depth};
    const bool is_half = parts.scalar_type() == at::kBFloat16;
    auto up = at::empty(parts[0].sizes(), parts.options());
    move<true>(one, joined_up, up);
    auto of_shares = at::bmm(up, parts[2].transpose(1, 2));
    auto of_scores = at::_softmax_backward_data(of_shares, shares, -1, shares.scalar_type());
    auto of_parts = at::empty_like(parts);
    at::Tensor of_queries = of_parts[0], of_keys = of_parts[1], of_values = of_parts[2];
    at::bmm_out(of_queries, of_scores, parts[1]);
    at::bmm_out(of_keys, of_scores.transpose(1, 2), parts[0]);
    at::bmm_out(of_values, shares.transpose(1, 2), up);
    auto of_joined = at::empty({images, tokens, three.width()}, parts.options());
    const void *from = of_parts.const_data_ptr();
    void *to = of_joined.data_ptr();
    const int64_t rows = three.rows(), blocks = (rows + ROWS - 1) / ROWS;
    ColumnSums of_bias(blocks, three.width());
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * ROWS, last = std::min(first + ROWS, rows);
        is_half ? join_half(three, from, to, of_bias.block(block), first, last)
                : join_float(three, from, to, of_bias.block(block), first, last);
      }
    });
    return {of_joined, of_bias.total(), at::Tensor()};
  }
};

} // namespace

extern "C" {

// Queries, keys and values lie side by side, in each the heads; so does their bias, in fp32. Writes a new tensor to `result`,
// which the caller owns.
char *rekindle_attention(const at::Tensor *joined, const at::Tensor *bias, int64_t heads, at::Tensor **result) {
  return caught([&] { *result = new at::Tensor(Attention::apply(*joined, *bias, heads)); });
}
}
