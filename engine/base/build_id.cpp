#include "engine/base/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstddef>
#include <cstdint>

namespace stillroom {
namespace {

struct Search {
    std::uintptr_t address = 0;  // of something in the file that is looked for
    std::string id;
};

std::string id_in_notes(const unsigned char* notes, std::size_t size) {
    std::size_t at = 0;
    while (at + sizeof(ElfW(Nhdr)) <= size) {
        const auto* note = reinterpret_cast<const ElfW(Nhdr)*>(notes + at);
        std::size_t name = at + sizeof(ElfW(Nhdr));
        std::size_t text = name + (note->n_namesz + 3U) / 4 * 4;
        std::size_t next = text + (note->n_descsz + 3U) / 4 * 4;
        if (next > size)
            return "";
        if (note->n_type == NT_GNU_BUILD_ID) {
            std::string id;
            for (std::size_t i = 0; i < note->n_descsz; ++i)
                id += fmt::format("{:02x}", notes[text + i]);
            return id;
        }
        at = next;
    }
    return "";
}

/// A file that was loaded: is it ours, and what do its notes say?
int look(dl_phdr_info* file, std::size_t, void* data) {
    auto* search = static_cast<Search*>(data);
    bool ours = false;
    for (int i = 0; i < file->dlpi_phnum; ++i) {
        const ElfW(Phdr)& part = file->dlpi_phdr[i];
        ours = ours || (part.p_type == PT_LOAD &&
                        search->address - (file->dlpi_addr + part.p_vaddr) < part.p_memsz);
    }
    if (!ours)
        return 0;
    for (int i = 0; i < file->dlpi_phnum && search->id.empty(); ++i)
        if (const ElfW(Phdr)& part = file->dlpi_phdr[i]; part.p_type == PT_NOTE)
            search->id =
                id_in_notes(reinterpret_cast<const unsigned char*>(file->dlpi_addr + part.p_vaddr),
                            part.p_memsz);
    return 1;
}

}  // namespace

std::string build_id() {
    Search search;
    search.address = reinterpret_cast<std::uintptr_t>(&look);
    ::dl_iterate_phdr(look, &search);
    return search.id;
}

}  // namespace stillroom
