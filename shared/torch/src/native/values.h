// What kernels for the CPU share: values of fp32 and bfloat16, and one build for several processors.

#pragma once

#ifndef _OPENMP
#error "without OpenMP, at::parallel_for compiles and uses one thread"
#endif

#include <cstdint>
#include <cstring>

// Built for several processors at once; the loader takes the one that fits. Levels of x86-64 are told by what a processor can
// do; the name of a processor, as in "arch=haswell", fits Intel's alone.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#if 12 <= __GNUC__
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#else
#define CLONES
#endif
#define INLINE inline __attribute__((always_inline))

// bfloat16 as it lies in memory.
using half = uint16_t;

INLINE float load(float value) { return value; }

INLINE float load(half value) {
  uint32_t bits = static_cast<uint32_t>(value) << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

INLINE void store(float &to, float value) { to = value; }

// To the nearest, of two equally near the even one. A number that is none stays none.
INLINE void store(half &to, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  to = static_cast<half>(value != value ? 0x7fc0 : rounded);
}
