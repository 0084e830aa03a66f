#pragma once

#include "engine/base/files.h"
#include "engine/base/sha256.h"
#include "engine/store/store.h"
#include "tests/engine/temporary_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace stillroom {

using Scratch = TemporaryFolder;

inline void put(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
}

inline std::string text_of(const std::filesystem::path& file) {
    return read_file(file, 1 << 26);
}

inline std::string key_of_record(const std::string& record) {
    return sha256_hex(record);
}

inline Manifest manifest_of(const std::string& record) {
    Manifest manifest;
    manifest.record = record;
    manifest.stage = "student";
    manifest.use = "toy.write";
    manifest.outputs = {{"model", "checkpoint", "", {}}};
    return manifest;
}

/// An entry with the files a.txt and deep/b.txt.
inline Manifest make_entry(Store& store,
                           const std::string& record,
                           const std::string& text = "hello",
                           bool replace = false) {
    Owner holder;
    std::optional<Work> work = store.open_work(key_of_record(record), holder);
    if (!work)
        throw std::runtime_error("the work is in use");
    put(work->outputs() / "model" / "a.txt", text);
    put(work->outputs() / "model" / "deep" / "b.txt", text + text);
    return store.publish(*work, manifest_of(record), {}, replace);
}

inline std::optional<Manifest> find_entry(const Store& store, const std::string& record) {
    std::vector<Damage> damage;
    return store.find(key_of_record(record), Verify::digests, damage);
}

}  // namespace stillroom
