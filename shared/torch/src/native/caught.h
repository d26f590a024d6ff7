// What all functions that Rust calls have in common: none lets an exception through.

#pragma once

#include <cstring>
#include <exception>

// Null, or the text of the exception, which the caller frees.
template <typename F>
char *caught(F &&body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception &error) {
    return strdup(error.what());
  }
}
