// Identity.h: what compiled code depends on besides the module: this build of the VM and the processor.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The build identity that the linker put into the executable; null if it has none.
const uint8_t *_Nullable vm_build_id(size_t *count);

/// The same of a program or library on disk, from its first page. Writes at most `capacity` bytes, answers how many: 0 if
/// there is none.
size_t vm_build_id_of(const char *path, uint8_t *bytes, size_t capacity);

/// What the processor and the system say about it (state that the system does not save cannot be used). Writes at most `capacity` words, answers how many.
size_t vm_processor_words(uint32_t *words, size_t capacity);

#pragma clang assume_nonnull end
