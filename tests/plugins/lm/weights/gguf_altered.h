#pragma once

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/weights/gguf_import.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

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

/// What is said of it, without the path.
inline std::string said_of_altered(const std::string& model,
                                   const std::string& from,
                                   const std::string& to) {
    TemporaryFolder folder;
    std::filesystem::path path = altered_gguf(folder, model, from, to);
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

inline const std::string& small_file(const GgufImport& model, std::string_view name) {
    for (const GgufImport::SmallFile& file : model.files())
        if (file.name == name)
            return file.text;
    FAIL("no file " << name);
    return model.files()[0].text;
}

}  // namespace stillroom::lm
