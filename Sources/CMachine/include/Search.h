// Search.h: search functions of the C library that its Swift module does not show.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The first place in `count` bytes where the `length` bytes at `pattern` occur, or null.
const uint8_t *_Nullable vm_find(const uint8_t *bytes, size_t count, const uint8_t *pattern, size_t length);

#pragma clang assume_nonnull end
