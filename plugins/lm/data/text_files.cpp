#include "plugins/lm/data/text_files.h"

#include "engine/base/digest.h"
#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

struct Ending {
    const char* text;
    TextKind kind;
    bool in_folders;  ///< beside data a .md is its description, and a .json most often its settings
};

constexpr Ending kEndings[] = {{".jsonl", TextKind::lines, true},
                               {".ndjson", TextKind::lines, true},
                               {".json", TextKind::lines, false},
                               {".txt", TextKind::text, true},
                               {".text", TextKind::text, true},
                               {".md", TextKind::text, false},
                               {".parquet", TextKind::parquet, true}};

const Ending* ending_of(const fs::path& name) {
    fs::path packing = name.extension();
    bool packed = packing == ".gz" || packing == ".zst" || packing == ".zstd";
    fs::path inner = packed ? name.stem() : name;
    for (const Ending& ending : kEndings)
        if (inner.extension() == ending.text && !(packed && ending.kind == TextKind::parquet))
            return &ending;
    return nullptr;
}

bool is_hidden(const fs::path& name) {
    return std::any_of(
        name.begin(), name.end(), [](const fs::path& part) { return part.string()[0] == '.'; });
}

}  // namespace

TextKind text_kind_of(const std::string& name) {
    if (const Ending* ending = ending_of(name))
        return ending->kind;
    throw Error({}, fmt::format("{}: its ending does not say what it holds", name))
        .hint(
            ".jsonl .ndjson .json hold lines of JSON, .txt .text .md a document each, all of them "
            "also as .gz or .zst; .parquet holds columns; a tokenised .idx is for data.open")
        .exit_code(kExitBadInput);
}

std::vector<std::string> texts_among(const std::vector<std::string>& names) {
    std::vector<std::string> rows, texts;
    for (const std::string& name : names)
        if (const Ending* ending = ending_of(name);
            ending && ending->in_folders && !is_hidden(name))
            (ending->kind == TextKind::text ? texts : rows).push_back(name);
    return rows.empty() ? texts : rows;
}

std::vector<TextFile> find_text_files(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) {
        if (!fs::exists(path, ignored))
            throw Error({}, fmt::format("there is no file or folder {}", path.string()))
                .exit_code(kExitBadInput);
        return {{path, path.string(), text_kind_of(path.string()), stamp_of(path).size}};
    }
    std::vector<TextFile> files;
    for (const std::string& name : texts_among(files_below(path, Links::follow_to_files))) {
        fs::path file = path / name;
        files.push_back({file, file.string(), text_kind_of(name), stamp_of(file).size});
    }
    if (files.empty())
        throw Error({}, fmt::format("{} holds no file of text", path.string()))
            .hint(
                "in a folder .jsonl and .parquet files are taken, or .txt where there are none, "
                "packed (.gz, .zst) or not")
            .exit_code(kExitBadInput);
    return files;
}

}  // namespace stillroom::lm
