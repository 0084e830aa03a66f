#pragma once

#include "engine/store/store.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace stillroom {

// Where things are in a store's folder, and how they come and go there.

/// Throws Error (exit 70) for anything but 64 lower-case hex digits: a key becomes a path.
void check_key(std::string_view key);

/// A new path in tmp/, which is made. What is left there after a crash says by its name who left
/// it.
std::filesystem::path temporary_path(const std::filesystem::path& store);

/// The text appears under its name as a whole or not at all; after a power cut it may be gone. For
/// what is only remembered. Throws Error (exit 4).
void put_remembered(const std::filesystem::path& store,
                    const std::filesystem::path& file,
                    std::string_view text);

/// Where the newest entry of a stage name and type stands: one small file each, so that nobody
/// searches the store.
std::filesystem::path last_file(const std::filesystem::path& store,
                                std::string_view stage,
                                std::string_view use);

/// Notes the key there. Whoever reads a key that was half written finds no entry of that name.
void put_last(const std::filesystem::path& file, std::string_view key);

/// Removes a work folder, its lease and its mark last. What cannot be removed stays for `store gc`.
void remove_work(Work& work);

/// The same of a folder in which these names are, which `work` alone uses.
void remove_work(Work& work, const std::vector<std::string>& names);

/// In a work folder with more in it than leases and outputs, made before these become an entry: the
/// SHA-256 of that entry's manifest and its key. Where both are there nobody needs the work any
/// more, whoever was stopped before he could remove it.
std::filesystem::path published_mark(const std::filesystem::path& work);

/// True if these names of a work folder are those of leases.
bool are_leases(const std::vector<std::string>& names);

/// Removes work that nobody holds and that has such a mark, or in which nothing is left.
void sweep_published(const std::filesystem::path& store);

/// Takes a folder out of its place in one step, then removes it. False if it was not there.
bool discard(const std::filesystem::path& store, const std::filesystem::path& folder);

/// Removes what engines left in tmp/ that are gone for sure, or that nobody touched for a week.
/// Returns how many, and how many bytes.
struct Swept {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
};
Swept sweep_temporary(const std::filesystem::path& store, bool dry_run);

/// Bytes of the regular files below.
std::uint64_t bytes_below(const std::filesystem::path& folder);

}  // namespace stillroom
