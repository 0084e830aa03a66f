#include "plugins/lm/tokenizer/tokenizer_cache.h"

#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/sha256.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostKept = 8;
constexpr std::size_t kMostStamps = 256;
constexpr std::string_view kForm = ".words", kStamp = ".stamp";

/// The file's digest stands under this name.
fs::path stamp_path(const fs::path& cache, const FileStamp& stamp) {
    std::string all = fmt::format("{} {} {} {} {}",
                                  stamp.device,
                                  stamp.inode,
                                  stamp.size,
                                  stamp.modified_ns,
                                  stamp.changed_ns);
    return cache / (sha256_hex(all).substr(0, 32) + std::string(kStamp));
}

bool is_settled(const FileStamp& stamp, std::int64_t settled_ns) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::int64_t now_ns = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
    return std::max(stamp.modified_ns, stamp.changed_ns) < now_ns - settled_ns;
}

bool is_digest(std::string_view text) {
    return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

std::string known_digest(const fs::path& stamp) {
    std::error_code none;
    if (!fs::is_regular_file(stamp, none))
        return {};
    try {
        std::string text = read_file(stamp, 64);
        return is_digest(text) ? text : std::string();
    } catch (const Error&) {
        return {};
    }
}

std::shared_ptr<TokenizerParts> read_form(const fs::path& cache,
                                          const std::string& digest,
                                          const std::string& name) {
    std::optional<CompiledReader> in =
        CompiledReader::open(cache / (digest + std::string(kForm)), digest);
    return in ? read_compiled_tokenizer(*in, name) : nullptr;
}

void keep_newest(const fs::path& cache, std::string_view suffix, std::size_t most) {
    std::vector<std::pair<fs::file_time_type, fs::path>> found;
    std::error_code failed;
    for (const std::string& name : list_folder(cache))
        if (name.ends_with(suffix))
            found.emplace_back(fs::last_write_time(cache / name, failed), cache / name);
    std::sort(found.rbegin(), found.rend());
    for (std::size_t i = most; i < found.size(); ++i)
        fs::remove(found[i].second, failed);
}

void leave(const fs::path& path,
           std::string_view bytes,
           std::string_view suffix,
           std::size_t most) {
    try {
        make_folders(path.parent_path());
        write_record_file(path, bytes);
        keep_newest(path.parent_path(), suffix, most);
    } catch (const Error&) {
        // It will be made again next time.
    }
}

}  // namespace

std::shared_ptr<TokenizerParts> read_by_cache(const fs::path& file,
                                              const fs::path& cache,
                                              std::int64_t settled_ns) {
    std::error_code failed;
    if (!fs::is_regular_file(file, failed) || fs::file_size(file, failed) < kLeastCached || failed)
        return nullptr;
    std::string name = file.string();
    FileStamp stamp = stamp_of(file);
    fs::path stamped = stamp_path(cache, stamp);
    std::string digest = known_digest(stamped);
    if (!digest.empty())
        if (std::shared_ptr<TokenizerParts> parts = read_form(cache, digest, name))
            return parts;
    std::string text = read_file(file, kMostTokenizerBytes);
    if (!text.starts_with('{'))
        return nullptr;
    digest = digest_of(text);
    std::shared_ptr<TokenizerParts> parts = read_form(cache, digest, name);
    if (!parts) {
        std::string rest;
        parts = read_tokenizer_json(text, name, &rest);
        CompiledWriter out;
        out.add(std::span<const char>(rest));
        parts->vocabulary.write(out);
        if (!parts->model->write(out))
            return parts;
        leave(
            cache / (digest + std::string(kForm)), std::move(out).finish(digest), kForm, kMostKept);
    }
    if (is_settled(stamp, settled_ns) && stamp_of(file) == stamp)
        leave(stamped, digest, kStamp, kMostStamps);
    return parts;
}

}  // namespace stillroom::lm
