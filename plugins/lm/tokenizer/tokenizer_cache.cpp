#include "plugins/lm/tokenizer/tokenizer_cache.h"

#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/sha256.h"
#include "plugins/lm/tokenizer/beside.h"
#include "plugins/lm/tokenizer/large_text.h"

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

/// What a content of that digest and size became. Forms are of a size, so that for a new content no
/// digest has to be known before it is read.
std::string form_name(std::string_view digest, std::size_t size) {
    return fmt::format("{}.{}{}", digest, size, kForm);
}

bool has_form_of(const fs::path& cache, std::size_t size) {
    std::vector<std::string> names = list_folder(cache);
    std::string end = form_name("", size);
    return std::any_of(
        names.begin(), names.end(), [&](const std::string& name) { return name.ends_with(end); });
}

std::shared_ptr<TokenizerParts> read_form(const fs::path& cache,
                                          const std::string& digest,
                                          std::size_t size,
                                          const std::string& name) {
    std::optional<CompiledReader> in =
        CompiledReader::open(cache / form_name(digest, size), digest);
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

/// A file that has been read, and its cache.
struct Source {
    fs::path file;
    fs::path cache;
    FileStamp stamp;
    std::int64_t settled_ns = 0;

    void leave_stamp(std::string_view digest) const {
        if (is_settled(stamp, settled_ns) && stamp_of(file) == stamp)
            leave(stamp_path(cache, stamp), digest, kStamp, kMostStamps);
    }
};

/// On another thread: who wants ids does not wait for it.
Beside<void> leave_form(const TokenizerParts& parts,
                        std::string rest,
                        LargeText text,
                        Source source) {
    auto work = [&parts,
                 rest = std::move(rest),
                 text = std::make_shared<LargeText>(std::move(text)),
                 source = std::move(source)] {
        try {
            CompiledWriter out;
            out.add(std::span<const char>(rest));
            parts.vocabulary.write(out);
            if (!parts.model->write(out))
                return;
            std::string digest = digest_of(text->view());
            fs::path form = source.cache / form_name(digest, text->size());
            leave(form, out.finish(digest).view(), kForm, kMostKept);
            source.leave_stamp(digest);
        } catch (const std::exception&) {
            // It will be made again next time.
        }
    };
    return beside(std::move(work));
}

}  // namespace

std::shared_ptr<TokenizerParts> read_by_cache(const fs::path& file,
                                              const fs::path& cache,
                                              std::int64_t settled_ns) {
    std::error_code failed;
    if (!fs::is_regular_file(file, failed) || fs::file_size(file, failed) < kLeastCached || failed)
        return nullptr;
    std::string name = file.string();
    Source source{file, cache, stamp_of(file), settled_ns};
    std::string digest = known_digest(stamp_path(cache, source.stamp));
    if (!digest.empty())
        if (std::shared_ptr<TokenizerParts> parts =
                read_form(cache, digest, source.stamp.size, name))
            return parts;
    std::optional<LargeText> text = LargeText::read(file, kMostTokenizerBytes);
    if (!text || !text->view().starts_with('{'))
        return nullptr;
    if (has_form_of(cache, text->size())) {
        digest = digest_of(text->view());
        if (std::shared_ptr<TokenizerParts> parts = read_form(cache, digest, text->size(), name)) {
            source.leave_stamp(digest);
            return parts;
        }
    }
    std::string rest;
    std::shared_ptr<TokenizerParts> parts = read_tokenizer_json(*text, name, rest);
    parts->leaving = leave_form(*parts, std::move(rest), std::move(*text), std::move(source));
    return parts;
}

}  // namespace stillroom::lm
