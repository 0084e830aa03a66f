#pragma once

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/weights/gguf_import.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace stillroom::lm {

inline const std::filesystem::path kGgufModels =
    std::filesystem::path(STILLROOM_REFERENCE) / "gguf/models";

/// A number as a GGUF file holds it.
template <class Number>
std::string stored(Number value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

/// A text as a GGUF file holds it.
inline std::string stored_text(const std::string& text) {
    return stored(std::uint64_t{text.size()}) + text;
}

/// A copy of a tiny model with some of its bytes replaced by as many others, wherever they stand.
inline std::filesystem::path altered_gguf(const TemporaryFolder& folder,
                                          const std::string& model,
                                          const std::string& from,
                                          const std::string& to) {
    REQUIRE(from.size() == to.size());
    std::string bytes = read_file(kGgufModels / (model + ".gguf"), 1 << 20);
    std::size_t found = 0;
    for (std::size_t at = bytes.find(from); at != bytes.npos; at = bytes.find(from, at + 1)) {
        bytes.replace(at, from.size(), to);
        ++found;
    }
    REQUIRE(found > 0);
    return folder.write("altered.gguf", bytes);
}

/// A key with a number or a text, as a GGUF file holds it.
template <class Number>
std::string stored_key(const std::string& name, GgufKind kind, Number value) {
    return stored_text(name) + stored(static_cast<std::uint32_t>(kind)) + stored(value);
}
inline std::string stored_key(const std::string& name, const std::string& text) {
    return stored_text(name) + stored(static_cast<std::uint32_t>(GgufKind::string)) +
           stored_text(text);
}

/// Adds keys in front of a file's own, and one more that keeps its tensors aligned.
inline std::filesystem::path with_keys(const TemporaryFolder& folder,
                                       const std::filesystem::path& path,
                                       const std::vector<std::string>& keys) {
    std::string bytes = read_file(path, 1 << 20), added;
    for (const std::string& key : keys)
        added += key;
    std::string padding = stored_key("test.padding", "");
    added += stored_key("test.padding",
                        std::string((64 - (added.size() + padding.size()) % 32) % 32, ' '));
    REQUIRE(added.size() % 32 == 0);
    std::uint64_t count;
    std::memcpy(&count, &bytes[16], sizeof count);
    count += keys.size() + 1;
    std::memcpy(&bytes[16], &count, sizeof count);
    return folder.write("with_keys.gguf", bytes.substr(0, 24) + added + bytes.substr(24));
}

/// What is said of a file, without its path.
inline std::string said_of(const std::filesystem::path& path) {
    try {
        GgufImport::open(path);
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        std::string start = "cannot read " + path.string() + ": ";
        REQUIRE_MESSAGE(std::string(error.what()).starts_with(start), error.what());
        return std::string(error.what()).substr(start.size());
    }
    return "nothing";
}

inline std::string said_of_altered(const std::string& model,
                                   const std::string& from,
                                   const std::string& to) {
    TemporaryFolder folder;
    return said_of(altered_gguf(folder, model, from, to));
}

inline const std::string& small_file(const GgufImport& model, std::string_view name) {
    for (const GgufImport::SmallFile& file : model.files())
        if (file.name == name)
            return file.text;
    FAIL("no file " << name);
    return model.files()[0].text;
}

}  // namespace stillroom::lm
