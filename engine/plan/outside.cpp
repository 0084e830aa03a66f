#include "engine/plan/outside.h"

#include "engine/base/error.h"

#include <fmt/format.h>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

struct Found {
    std::string name;  ///< in its folder
    fs::path path;
    std::uint64_t size = 0;
};

/// `data/text` of data/text.bin and data/text.idx.
std::vector<fs::path> beginning_of(const fs::path& path) {
    std::vector<fs::path> files;
    std::error_code ignored;
    for (const char* ending : {".bin", ".idx"}) {
        fs::path file = path;
        file += ending;
        if (fs::is_regular_file(file, ignored))
            files.push_back(file);
    }
    return files;
}

std::vector<Found> list(const fs::path& path) {
    std::vector<Found> files;
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
        for (const std::string& name : files_below(path, Links::follow_to_files))
            files.push_back({name, path / name});
    } else if (fs::exists(path, ignored)) {
        files.push_back({path.filename().string(), path});
    } else {
        for (const fs::path& file : beginning_of(path))
            files.push_back({file.filename().string(), file});
    }
    if (files.empty())
        throw Error({}, fmt::format("there is no file in '{}'", path.string()))
            .exit_code(kExitBadInput);
    for (Found& file : files)
        file.size = stamp_of(file.path).size;
    return files;
}

/// What is remembered comes first: only the rest counts against what may be read.
Outside digest(const std::vector<Found>& files,
               bool one_file,
               const Store& store,
               const OutsideOptions& options) {
    Outside out;
    std::vector<FileRecord> records(files.size());
    std::vector<std::size_t> unknown;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        bool trusts_memory = options.verify == Verify::sizes;
        auto known = options.known ? options.known->find(fs::absolute(files[i].path).string())
                                   : std::map<std::string, std::string>::const_iterator();
        if (options.known && known != options.known->end()) {
            records[i].digest = known->second;
            records[i].size = files[i].size;
            continue;
        }
        std::optional<FileRecord> found;
        if (trusts_memory)
            found = store.outside_file(files[i].path, options.verify, 0, options.threads);
        if (found) {
            records[i] = *found;
            continue;
        }
        unknown.push_back(i);
        bytes += files[i].size;
    }
    for (std::size_t i : unknown) {
        std::optional<FileRecord> found;
        if (bytes <= options.hash_at_most)
            found = store.outside_file(
                files[i].path, options.verify, options.hash_at_most, options.threads);
        if (found)
            records[i] = *found;
        else
            out.unread.push_back(files[i].path);
    }
    if (!out.unread.empty())
        return out;
    if (one_file) {
        out.digest = records.front().digest;
        return out;
    }
    for (std::size_t i = 0; i < files.size(); ++i)
        records[i].path = files[i].name;
    out.digest = content_digest(records);
    return out;
}

}  // namespace

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored) || !beginning_of(path).empty();
}

Outside look_outside(const fs::path& path, const Store& store, const OutsideOptions& options) {
    Outside out;
    try {
        std::error_code ignored;
        bool one_file = fs::is_regular_file(path, ignored);
        return digest(list(path), one_file, store, options);
    } catch (const Error& error) {
        out.missing = error.what();
    } catch (const fs::filesystem_error& error) {
        out.missing =
            fmt::format("cannot read {}: {}", error.path1().string(), error.code().message());
    }
    return out;
}

}  // namespace stillroom
