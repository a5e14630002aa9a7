// Identity.c: see Identity.h.
#define _GNU_SOURCE
#include "Identity.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

typedef struct {
    const uint8_t *bytes;
    size_t count;
} Found;

/// Looks for the build identity in a segment of notes.
static bool findNote(const uint8_t *note, size_t size, Found *found) {
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *header = (const void *)note;
        size_t name = (header->n_namesz + 3) & ~(size_t)3, text = (header->n_descsz + 3) & ~(size_t)3;
        size_t whole = sizeof *header + name + text;
        if (whole > size) return false;
        if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == 4 && !memcmp(header + 1, "GNU", 4)) {
            *found = (Found){note + sizeof *header + name, header->n_descsz};
            return true;
        }
        note += whole;
        size -= whole;
    }
    return false;
}

/// The first object that the loader names is the executable.
static int find(struct dl_phdr_info *info, size_t size, void *result) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_NOTE && findNote((const uint8_t *)(info->dlpi_addr + part->p_vaddr), part->p_memsz, result)) break;
    }
    return 1;
}

size_t vm_build_id_of(const char *path, uint8_t *bytes, size_t capacity) {
    _Alignas(8) uint8_t page[4096];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t got = read(file, page, sizeof page);
    close(file);
    const ElfW(Ehdr) *head = (const void *)page;
    if (got < (ssize_t)sizeof *head || memcmp(head->e_ident, ELFMAG, SELFMAG) || head->e_phentsize != sizeof(ElfW(Phdr))) return 0;
    size_t limit = (size_t)got;
    for (size_t i = 0; i < head->e_phnum; i++) {
        size_t at = head->e_phoff + i * sizeof(ElfW(Phdr));
        if (at > limit - sizeof(ElfW(Phdr))) return 0;
        const ElfW(Phdr) *part = (const void *)(page + at);
        Found found;
        if (part->p_type != PT_NOTE || part->p_offset > limit || part->p_filesz > limit - part->p_offset || part->p_offset & 3) continue;
        if (!findNote(page + part->p_offset, part->p_filesz, &found)) continue;
        size_t count = found.count < capacity ? found.count : capacity;
        memcpy(bytes, found.bytes, count);
        return count;
    }
    return 0;
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
    // Registers that the system saves, if it says so.
    if (count > 6 && words[6] & bit_OSXSAVE && count + 2 <= capacity) {
        __asm__ volatile("xgetbv" : "=a"(words[count]), "=d"(words[count + 1]) : "c"(0));
        count += 2;
    }
#endif
    return count;
}
