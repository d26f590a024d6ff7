// The few functions of libtorch that training needs and tch does not bind. Every function returns null, or the text of
// the exception, which the caller frees. Tensors are borrowed.

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <c10/core/AllocatorConfig.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "caught.h"
#include "norm.h"

namespace {

std::vector<at::Tensor> list(at::Tensor *const *tensors, size_t count) {
  std::vector<at::Tensor> out;
  out.reserve(count);
  for (size_t i = 0; i < count; ++i) out.push_back(*tensors[i]);
  return out;
}

// Whether both lie in memory in the same order; dimensions of one element have no order.
bool same_layout(const at::Tensor &a, const at::Tensor &b) {
  for (int64_t d = 0; d < a.dim(); ++d) {
    if (a.size(d) != 1 && a.stride(d) != b.stride(d)) return false;
  }
  return true;
}

// The tensor's memory as one row. Only for tensors without holes, as all here are.
at::Tensor flat(const at::Tensor &tensor) {
  return tensor.is_contiguous() ? tensor : tensor.as_strided({tensor.numel()}, {1});
}

// The same for each. The fused kernel is twice as fast on rows as on tensors with channels last.
std::vector<at::Tensor> flat(std::vector<at::Tensor> tensors) {
  for (auto &tensor : tensors) tensor = flat(tensor);
  return tensors;
}

// The allocator of libtorch's GPU half, or null where that is not loaded. It is found at run time and spoken to through
// the interface that all devices share, so that this compiles and links without CUDA.
c10::DeviceAllocator *gpu_allocator() {
  try {
    auto *allocator = dynamic_cast<c10::DeviceAllocator *>(c10::GetAllocator(c10::DeviceType::CUDA));
    return allocator && allocator->initialized() ? allocator : nullptr;
  } catch (const std::exception &) {
    // What nobody has registered cannot be asked for.
    return nullptr;
  }
}

} // namespace

extern "C" {

char *rekindle_deterministic() {
  return caught([] {
    auto &context = at::globalContext();
    // Only warns: an operation without a deterministic form shall not end a run.
    context.setDeterministicAlgorithms(true, /*warn_only=*/true);
    // Filling each new tensor with NaN finds bugs and costs time.
    context.setDeterministicFillUninitializedMemory(false);
    context.setDeterministicCuDNN(true);
    context.setDeterministicMkldnn(true);
    context.setBenchmarkCuDNN(false);
  });
}

// Of tensors of fp32.
char *rekindle_norm(at::Tensor *const *tensors, size_t count, at::Tensor *norm) {
  return caught([&] {
    if (norm->is_cpu()) {
      norm->fill_(norm_on_cpu(list(tensors, count)));
    } else {
      norm->copy_(at::linalg_vector_norm(at::stack(at::_foreach_norm(list(tensors, count), 2))));
    }
  });
}

char *rekindle_add(at::Tensor *const *sums, at::Tensor *const *tensors, size_t count) {
  return caught([&] { at::_foreach_add_(list(sums, count), list(tensors, count)); });
}

char *rekindle_copy(at::Tensor *const *to, at::Tensor *const *from, size_t count) {
  return caught([&] {
    auto targets = list(to, count);
    at::_foreach_copy_(targets, list(from, count));
  });
}

char *rekindle_lerp(at::Tensor *const *averages, at::Tensor *const *tensors, size_t count, double weight) {
  return caught([&] { at::_foreach_lerp_(flat(list(averages, count)), flat(list(tensors, count)), weight); });
}

// Draws from generators of its own, so that runs beside each other do not draw from one. On the CPU a generator is one
// thread's, so there each block has one, with a seed for itself. Only for numbers without holes.
char *rekindle_fill_normal(at::Tensor *numbers, uint64_t seed) {
  return caught([&] {
    auto draw = [&](at::Tensor block, uint64_t block_seed) {
      auto generator = at::globalContext().defaultGenerator(numbers->device()).clone();
      generator.set_current_seed(block_seed);
      block.normal_(0, 1, generator);
    };
    if (!numbers->is_cpu()) return draw(*numbers, seed);
    const int64_t size = 1 << 14, count = numbers->numel(), blocks = (count + size - 1) / size;
    auto row = numbers->view({-1});
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        // Any odd number spreads the blocks' seeds; this one is splitmix64's.
        draw(row.slice(0, i * size, std::min(count, (i + 1) * size)), seed + 0x9e3779b97f4a7c15u * static_cast<uint64_t>(i));
      }
    });
  });
}

// Gives the allocator of libtorch's GPU half a setting. It reads them when the GPU is first used, not later. Where that half
// is not loaded, nobody hears of it. What is set for all devices, as by PYTORCH_ALLOC_CONF, stays.
char *rekindle_set_gpu_allocator(const char *setting, bool *is_heard) {
  using Config = c10::CachingAllocator::AcceleratorAllocatorConfig;
  return caught([&] {
    if (gpu_allocator()) throw std::logic_error("the GPU is in use already, and its allocator reads no more settings");
    *is_heard = static_cast<bool>(Config::getConfigParserHook());
    Config::callDeviceConfigParserHook(setting);
  });
}

char *rekindle_drop_gpu_cache() {
  return caught([] {
    if (auto *allocator = gpu_allocator()) allocator->emptyCache();
  });
}

char *rekindle_reset_gpu_peak(int8_t device) {
  return caught([&] {
    if (auto *allocator = gpu_allocator()) allocator->resetPeakStats(device);
  });
}

// Writes the most bytes that were reserved on the device since the last reset; none where there is no allocator.
char *rekindle_gpu_peak(int8_t device, int64_t *bytes) {
  return caught([&] {
    if (auto *allocator = gpu_allocator()) {
      auto reserved = allocator->getDeviceStats(device).reserved_bytes;
      *bytes = reserved[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
    }
  });
}

char *rekindle_adamw(at::Tensor *const *parameters, at::Tensor *const *gradients, at::Tensor *const *averages,
                     at::Tensor *const *squares, size_t count, const at::Tensor *step, const at::Tensor *divisor,
                     const at::Tensor *device_lr, double lr, double beta1, double beta2, double weight_decay,
                     double eps) {
  return caught([&] {
    auto params = list(parameters, count);
    auto grads = list(gradients, count);
    // The kernel walks through memory, so a gradient must lie there as its parameter does.
    for (size_t i = 0; i < count; ++i) {
      if (!same_layout(params[i], grads[i])) grads[i] = at::empty_like(params[i]).copy_(grads[i]);
    }
    std::vector<at::Tensor> steps(count, *step);
    auto step_with = [&](const auto &rate) {
      at::_fused_adamw_(flat(params), flat(grads), flat(list(averages, count)), flat(list(squares, count)), {}, steps,
                        rate, beta1, beta2, weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false, *divisor);
    };
    if (device_lr) {
      step_with(*device_lr);
    } else {
      step_with(lr);
    }
  });
}
}
