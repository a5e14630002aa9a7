// Identity.c: see Identity.h.
#define _GNU_SOURCE
#include "Identity.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

typedef struct {
    const uint8_t *bytes;
    size_t count;
} Found;

/// The first object that the loader names is the executable.
static int find(struct dl_phdr_info *info, size_t size, void *result) {
    Found *found = result;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_NOTE) continue;
        const uint8_t *note = (const uint8_t *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        const uint8_t *end = note + info->dlpi_phdr[i].p_memsz;
        while (note + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *header = (const void *)note;
            const uint8_t *name = note + sizeof *header;
            const uint8_t *text = name + ((header->n_namesz + 3) & ~3u);
            if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == 4 && !memcmp(name, "GNU", 4)) {
                *found = (Found){text, header->n_descsz};
                return 1;
            }
            note = text + ((header->n_descsz + 3) & ~3u);
        }
    }
    return 1;
}

const uint8_t *vm_build_id(size_t *count) {
    Found found = {NULL, 0};
    dl_iterate_phdr(find, &found);
    *count = found.count;
    return found.bytes;
}

size_t vm_processor_words(uint32_t *words, size_t capacity) {
    size_t count = 0;
#if defined(__x86_64__)
    static const uint32_t leaves[][2] = {{0, 0}, {1, 0}, {7, 0}, {7, 1}, {0xD, 1}, {0x80000001, 0}};
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves && count + 4 <= capacity; i++) {
        uint32_t *leaf = words + count;
        memset(leaf, 0, 16);
        __get_cpuid_count(leaves[i][0], leaves[i][1], leaf, leaf + 1, leaf + 2, leaf + 3);
        // The number of the core that runs this, and sizes that depend on the state enabled now.
        if (leaves[i][0] == 1) leaf[1] &= 0x0000FFFF;
        if (leaves[i][0] == 0xD) leaf[1] = 0;
        count += 4;
    }
#endif
    return count;
}
