#define _GNU_SOURCE
#include "Search.h"

#include <string.h>

const uint8_t *vm_find(const uint8_t *bytes, size_t count, const uint8_t *pattern, size_t length) {
    return memmem(bytes, count, pattern, length);
}
