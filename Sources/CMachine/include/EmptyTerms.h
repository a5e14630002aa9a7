// EmptyTerms.h: the constant objects that every heap shares: `{}` and `#{}`. They lie outside all heaps, like
// literals, so collections and copies that leave literals alone leave them alone too.
#pragma once
#include "Layout.h"

#pragma clang assume_nonnull begin

extern const uint64_t vm_empty_tuple[2];
extern const uint64_t vm_empty_map[4];

/// The term `{}`.
static inline Term vm_empty_tuple_term(void) { return (Term){(uint64_t)vm_empty_tuple | 2}; }
/// The term `#{}`.
static inline Term vm_empty_map_term(void) { return (Term){(uint64_t)vm_empty_map | 2}; }

#pragma clang assume_nonnull end
