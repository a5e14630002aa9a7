// Identity.h: what compiled code depends on besides the module: this build of the VM and the processor.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The build identity that the linker put into the executable; null if it has none.
const uint8_t *_Nullable vm_build_id(size_t *count);

/// What the processor says about itself. Writes at most `capacity` words, answers how many.
size_t vm_processor_words(uint32_t *words, size_t capacity);

#pragma clang assume_nonnull end
