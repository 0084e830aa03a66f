#include "plugins/data/found_files.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/data/blend_file.h"
#include "plugins/data/blending.h"

#include <fmt/format.h>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostBlend = std::size_t{16} << 20;

[[noreturn]] void refuse(const fs::path& path, const std::string& why, const std::string& hint) {
    throw Error({}, fmt::format("{}: {}", path.string(), why)).hint(hint).exit_code(kExitBadInput);
}

fs::path with_ending(fs::path path, const char* ending) {
    path += ending;
    return path;
}

bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

fs::path tidy(const fs::path& path) {
    fs::path whole = fs::absolute(path).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
}

/// The prefix of a pair that must be there.
lm::DatasetPart part_of(const fs::path& prefix) {
    for (const char* ending : {".idx", ".bin"})
        if (!is_file(with_ending(prefix, ending)))
            refuse(with_ending(prefix, ending),
                   "there is no such file",
                   "a dataset is a pair of files: PREFIX.bin and PREFIX.idx");
    lm::DatasetPart part;
    part.prefix = prefix;
    return part;
}

lm::DatasetInfo of_folder(const fs::path& folder, std::vector<fs::path>& read) {
    if (lm::has_dataset_info(folder)) {
        read.push_back(folder / "dataset.json");
        lm::DatasetInfo info = blend({{lm::read_dataset_info(folder), folder}}, {});
        for (const lm::DatasetPart& part : info.parts)
            part_of(part.prefix);
        return info;
    }
    lm::DatasetInfo info;
    for (const std::string& name : list_folder(folder)) {
        fs::path file = folder / name;
        if (file.extension() == ".idx")
            info.parts.push_back(part_of(file.replace_extension()));
    }
    if (info.parts.empty())
        refuse(folder, "this folder holds no .idx file", "text becomes a dataset by data.tokenize");
    for (const lm::DatasetPart& part : info.parts)
        info.source.push_back(part.prefix.filename().string());
    return info;
}

/// Prefixes in it belong to its folder.
lm::DatasetInfo of_blend_file(const fs::path& file, std::vector<fs::path>& read) {
    std::string text;
    try {
        text = read_file(file, kMostBlend);
    } catch (Error& error) {
        error.exit_code(kExitBadInput);
        throw;
    }
    read.push_back(file);
    lm::DatasetInfo info;
    for (const BlendEntry& entry : parse_blend(text, file.string())) {
        info.parts.push_back(part_of(tidy(file.parent_path() / entry.prefix)));
        info.parts.back().weight = entry.weight;
    }
    info.source = {file.filename().string()};
    return info;
}

lm::DatasetInfo of_path(const fs::path& path, std::vector<fs::path>& read) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored))
        return of_folder(path, read);
    fs::path prefix = path;
    if (path.extension() == ".idx" || path.extension() == ".bin") {
        prefix.replace_extension();
    } else if (is_file(path)) {
        if (path.extension() == ".txt")
            return of_blend_file(path, read);
        refuse(path,
               "it is no .idx, .bin or .txt file",
               "text becomes a dataset by data.tokenize, a blend is written in a .txt file");
    }
    lm::DatasetInfo info;
    info.parts.push_back(part_of(prefix));
    info.source = {prefix.filename().string()};
    return info;
}

}  // namespace

FoundFiles find_files(const std::vector<fs::path>& paths) {
    FoundFiles out;
    std::vector<BlendInput> inputs;
    for (const fs::path& path : paths)
        inputs.push_back({of_path(tidy(path), out.read), {}});
    for (std::size_t i = 1; i < inputs.size(); ++i)
        if (inputs[i].info.weighted() != inputs[0].info.weighted())
            refuse(paths[inputs[i].info.weighted() ? i : 0],
                   "it has weights, another of the files has none",
                   "open them apart and mix them by data.blend");
    if (inputs.size() == 1) {
        out.info = std::move(inputs[0].info);
        return out;
    }
    bool weighted = inputs[0].info.weighted();
    if (weighted)
        refuse(paths[0],
               "it has weights, and so do others of the files",
               "open them apart and mix them by data.blend");
    out.info = blend(inputs, {});
    return out;
}

}  // namespace stillroom::data
