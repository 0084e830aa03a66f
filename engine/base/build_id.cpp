#include "engine/base/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace stillroom {
namespace {

struct Search {
    std::uintptr_t address = 0;  // of something in the file that is looked for
    std::string id;
};

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
            search->id = build_id_in(
                {reinterpret_cast<const char*>(file->dlpi_addr + part.p_vaddr), part.p_memsz});
    return 1;
}

}  // namespace

// Notes stand one after the other, each part filled up to four bytes; ours is named GNU.
std::string build_id_in(std::string_view notes) {
    auto filled_up = [](std::uint64_t size) { return (size + 3) / 4 * 4; };
    ElfW(Nhdr) note{};
    while (notes.size() >= sizeof note) {
        std::memcpy(&note, notes.data(), sizeof note);
        std::uint64_t name = filled_up(note.n_namesz), all = name + filled_up(note.n_descsz);
        notes.remove_prefix(sizeof note);
        if (all > notes.size())
            return "";
        if (note.n_type == NT_GNU_BUILD_ID &&
            notes.substr(0, note.n_namesz) == std::string_view("GNU", 4)) {
            std::string id;
            for (char byte : notes.substr(name, note.n_descsz))
                id += fmt::format("{:02x}", static_cast<unsigned char>(byte));
            return id;
        }
        notes.remove_prefix(all);
    }
    return "";
}

std::string build_id() {
    Search search;
    search.address = reinterpret_cast<std::uintptr_t>(&look);
    ::dl_iterate_phdr(look, &search);
    return search.id;
}

}  // namespace stillroom
