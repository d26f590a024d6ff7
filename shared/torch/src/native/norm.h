// See norm.cpp.

#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

// The Euclidean norm of all values of these tensors of fp32 together; the same bits with any number of threads.
float norm_on_cpu(const std::vector<at::Tensor> &tensors);
