#include "engine/store/links.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/store/fields.h"
#include "engine/store/manifest.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostManifest = std::size_t{256} << 20;

[[noreturn]] void refuse(const fs::path& link, const std::string& why) {
    throw Error({}, fmt::format("{} is a link {}", link.string(), why)).exit_code(kExitBadInput);
}

/// Where the link itself leads; a link may stand there too.
fs::path next_of(const fs::path& link) {
    std::error_code error, missing;
    fs::path said = fs::read_symlink(link, error);
    if (!fs::exists(link, missing))
        refuse(link, fmt::format("to {}, which is not there", said.string()));
    fs::path next = link.parent_path() / said;
    return fs::canonical(next.parent_path()) / next.filename();
}

/// As seen from the store's folder; empty: it lies elsewhere.
fs::path below_store(const Store& store, const fs::path& target) {
    std::error_code ignored;
    fs::path below = target.lexically_relative(fs::weakly_canonical(store.folder(), ignored));
    return below.empty() || *below.begin() == ".." ? fs::path() : below;
}

/// What the manifest of the entry that `below` lies in says of it.
std::optional<FileRecord> file_of_entry(const Store& store, const fs::path& below) {
    if (below.empty() || !is_digest(below.begin()->native()))
        return std::nullopt;
    std::string key = below.begin()->string();
    try {
        Manifest manifest =
            parse_manifest(read_file(store.entry(key) / "manifest.json", kMostManifest), key);
        for (const StoredOutput& output : manifest.outputs)
            for (const FileRecord& file : output.files)
                if (fs::path(key) / output.name / file.path == below)
                    return file;
    } catch (const Unreadable&) {
    } catch (const Error&) {
    }
    return std::nullopt;
}

/// `listed`: what another entry says that it is.
FileRecord look_at(const Store& store,
                   const fs::path& target,
                   const std::optional<FileRecord>& listed,
                   Verify verify,
                   unsigned threads) {
    if (is_link(target)) {  // of the other entry: it may lead to something else by now
        FileRecord found = linked_file(store, target, verify, threads);
        found.path = target.string();
        return found;
    }
    FileStamp stamp = stamp_of(target);
    if (listed && verify == Verify::sizes && stamp.size == listed->size)
        return {target.string(), listed->size, listed->digest, stamp};
    return *store.outside_file(target, verify, UINT64_MAX, threads);
}

}  // namespace

bool is_link(const fs::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

FileRecord linked_file(const Store& store, const fs::path& link, Verify verify, unsigned threads) {
    fs::path next = next_of(link);
    return look_at(store, next, file_of_entry(store, below_store(store, next)), verify, threads);
}

FileRecord permitted_file(const Store& store,
                          const fs::path& link,
                          const std::set<fs::path>& sources,
                          unsigned threads) {
    fs::path next = next_of(link);
    if (std::optional<FileRecord> listed = file_of_entry(store, below_store(store, next)))
        return look_at(store, next, listed, Verify::sizes, threads);
    fs::path target = fs::canonical(next);
    if (!sources.contains(target))
        refuse(link,
               fmt::format("to {}, which its stage does not say that it reads", target.string()));
    return look_at(store, target, {}, Verify::sizes, threads);
}

void settle_link(const Store& store,
                 const fs::path& link,
                 const fs::path& target,
                 const fs::path& inside) {
    fs::path text = target;
    if (fs::path below = below_store(store, target); !below.empty()) {
        fs::path up = "..";  // out of the entry
        for (auto step = std::next(inside.begin()); step != inside.end(); ++step)
            up /= "..";
        text = up / below;
    }
    ::unlink(link.c_str());
    if (retried([&] { return ::symlink(text.c_str(), link.c_str()); }) != 0)
        refuse_write(link, errno);
}

}  // namespace stillroom
