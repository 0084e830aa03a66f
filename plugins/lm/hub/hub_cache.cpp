#include "plugins/lm/hub/hub_cache.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <random>
#include <set>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongestTree = std::size_t{64} << 20;
constexpr std::size_t kLongestRef = 256;
constexpr std::time_t kStale = 24 * 3600;

constexpr std::string_view kCacheTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file marks a cache of model files, which can be fetched again.\n";

std::string random_name() {
    std::random_device random;
    return fmt::format("{:08x}", random());
}

/// The size of the regular file there, links followed.
std::optional<std::uint64_t> size_of_file(const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
        return {};
    return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

RepoCache::RepoCache(fs::path root, const HubSource& source, bool links)
    : root_(std::move(root)),
      links_(links) {
    std::string name = source.kind == RepoKind::model ? "models" : "datasets";
    for (const std::string& part : split(source.repo, '/'))
        name += "--" + part;
    folder_ = root_ / name;
}

fs::path RepoCache::snapshot(const std::string& commit) const {
    return folder_ / "snapshots" / commit;
}

std::optional<std::string> RepoCache::commit_of(const std::string& revision) const {
    if (is_commit(revision))
        return revision;
    try {
        std::string commit(trim(read_file(folder_ / "refs" / revision, kLongestRef)));
        if (is_commit(commit))
            return commit;
    } catch (const Error&) {  // none, or none that we may read
    }
    return {};
}

std::optional<HubTree> RepoCache::tree(const std::string& commit) const {
    try {
        return parse_kept_tree(read_file(folder_ / "trees" / (commit + ".json"), kLongestTree));
    } catch (const Error&) {  // it is listed again
        return {};
    }
}

bool RepoCache::holds(const std::string& commit, const HubFile& file) const {
    return size_of_file(snapshot(commit) / file.path) == file.size;
}

bool RepoCache::holds(const std::string& commit, const std::string& path) const {
    return size_of_file(snapshot(commit) / path).has_value();
}

bool RepoCache::known_absent(const std::string& commit, const std::string& path) const {
    return size_of_file(folder_ / ".no_exist" / commit / path).has_value();
}

bool RepoCache::holds_blob(const std::string& etag, std::uint64_t size) const {
    return size_of_file(blobs() / etag) == size;
}

void RepoCache::keep_commit(const std::string& revision, const std::string& commit) const {
    if (is_commit(revision) || commit_of(revision) == commit)
        return;
    fs::path file = folder_ / "refs" / revision;
    make_folders(file.parent_path());
    write_file(file, commit);
}

void RepoCache::keep_tree(const std::string& commit, const HubTree& tree) const {
    make_folders(folder_ / "trees");
    write_file(folder_ / "trees" / (commit + ".json"), kept_tree_text(tree));
}

void RepoCache::keep_absent(const std::string& commit, const std::string& path) const {
    fs::path file = folder_ / ".no_exist" / commit / path;
    make_folders(file.parent_path());
    write_file(file, "");
}

void RepoCache::keep_file(const std::string& commit,
                          const std::string& path,
                          const std::string& etag) const {
    fs::path file = snapshot(commit) / path;
    make_folders(file.parent_path());
    fs::path temporary = incomplete_blob(etag);  // where a dead process's is swept
    fs::path target = "../..";
    for (char c : path)
        if (c == '/')
            target /= "..";
    target = target / "blobs" / etag;
    if (!links_ || ::symlink(target.c_str(), temporary.c_str()) != 0) {
        // A file system without links, or nobody wants them: the file itself, the blob stays.
        fs::path blob = fs::canonical(blobs() / etag);
        if (::link(blob.c_str(), temporary.c_str()) != 0)
            copy_tree(blob, temporary);
    }
    if (::rename(temporary.c_str(), file.c_str()) == 0)
        return;
    int code = errno;
    ::unlink(temporary.c_str());
    refuse_write(file, code);
}

void RepoCache::prepare() const {
    make_folders(blobs());
    fs::path tag = root_ / "CACHEDIR.TAG";
    std::error_code error;
    if (!fs::exists(tag, error))
        write_file(tag, kCacheTag);
}

fs::path RepoCache::incomplete_blob(const std::string& etag) const {
    return blobs() / fmt::format("{}.{}.incomplete", etag, random_name());
}

void RepoCache::sweep() const {
    for (const std::string& name : list_folder(blobs())) {
        struct stat status {};
        fs::path path = blobs() / name;
        // One that grows is younger than the longest wait for a byte.
        if (name.ends_with(".incomplete") && ::lstat(path.c_str(), &status) == 0 &&
            !S_ISDIR(status.st_mode) && status.st_mtime < std::time(nullptr) - kStale)
            ::unlink(path.c_str());
    }
}

std::vector<std::string> missing_files(const RepoCache& cache,
                                       const std::string& commit,
                                       const HubTree& wanted) {
    std::vector<std::string> missing;
    for (const HubFile& file : wanted)
        if (!cache.holds(commit, file))
            missing.push_back(file.path);
    return missing;
}

std::vector<std::string> missing_model_files(const RepoCache& cache,
                                             const std::string& commit,
                                             HubPart part) {
    if (!cache.holds(commit, "config.json"))
        return {"config.json"};
    if (part == HubPart::small_files || cache.holds(commit, "model.safetensors"))
        return {};
    const std::string index = "model.safetensors.index.json";
    if (!cache.holds(commit, index))
        return {"model.safetensors"};
    std::set<std::string> shards;
    try {
        Json root = Json::parse(read_file(cache.snapshot(commit) / index, kLongestTree));
        for (const Json::Member& member : root.at("weight_map").map())
            shards.insert(member.value.string());
    } catch (const Error&) {
        return {index};
    }
    std::vector<std::string> missing;
    for (const std::string& shard : shards)
        if (!hub_path_fault(shard).empty() || !cache.holds(commit, shard))
            missing.push_back(shard);
    return missing;
}

}  // namespace stillroom::lm
