// EmptyTerms.c: the shared empty tuple and the shared empty map (layouts: Terms/Boxed.swift, Terms/MapLayout.swift).
#include "CMachine.h"

_Alignas(16) const uint64_t vm_empty_tuple[2] = {0, 0};

// Header (2 words, map), size 0, the keys tuple.
_Alignas(16) const uint64_t vm_empty_map[4] = {2 << 6 | 15 << 2, 0, (uint64_t)vm_empty_tuple + 2, 0};
