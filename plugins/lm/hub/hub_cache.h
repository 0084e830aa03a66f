#pragma once

#include "engine/base/api.h"
#include "plugins/lm/hub/hub_source.h"
#include "plugins/lm/hub/hub_tree.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::lm {

/// One repository in the cache that all of Hugging Face's tools share:
///   models--ORG--NAME/refs/REVISION            the commit that it was
///                     blobs/ETAG               the files, each once
///                     snapshots/COMMIT/PATH    relative links to them
///                     trees/COMMIT.json        what the commit holds
///                     .no_exist/COMMIT/PATH    what it is known not to hold
/// Looking something up writes nothing, so a read-only cache serves. What is written appears by a
/// rename, so that others may read and write beside us; nobody is locked out.
class STILLROOM_API RepoCache {
public:
    /// `links`: false where files are to stand in the snapshot themselves.
    RepoCache(std::filesystem::path root, const HubSource& source, bool links);

    const std::filesystem::path& root() const { return root_; }
    const std::filesystem::path& folder() const { return folder_; }
    std::filesystem::path blobs() const { return folder_ / "blobs"; }
    std::filesystem::path snapshot(const std::string& commit) const;

    /// The revision itself if it is a commit, else what it was when the hub was last asked.
    std::optional<std::string> commit_of(const std::string& revision) const;
    std::optional<HubTree> tree(const std::string& commit) const;      ///< a spoilt one is none
    bool holds(const std::string& commit, const HubFile& file) const;  ///< of that size
    bool holds(const std::string& commit, const std::string& path) const;
    bool known_absent(const std::string& commit, const std::string& path) const;

    /// The blob is there, of that size.
    bool holds_blob(const std::string& etag, std::uint64_t size) const;

    void keep_commit(const std::string& revision, const std::string& commit) const;
    void keep_tree(const std::string& commit, const HubTree& tree) const;
    void keep_absent(const std::string& commit, const std::string& path) const;

    /// The snapshot's file becomes the blob.
    void keep_file(const std::string& commit,
                   const std::string& path,
                   const std::string& etag) const;

    /// The folders and the mark for backup programs, before the first blob.
    void prepare() const;

    /// A name for a blob or a link on its way; those that dead processes left a day ago go.
    std::filesystem::path incomplete_blob(const std::string& etag) const;
    void sweep() const;

private:
    std::filesystem::path root_;
    std::filesystem::path folder_;
    bool links_;
};

/// What of a commit is not in the cache, of a choice of its files. Where no tree was kept (other
/// tools may have filled the cache) a model folder is judged by its index.
STILLROOM_API std::vector<std::string> missing_files(const RepoCache& cache,
                                                     const std::string& commit,
                                                     const HubTree& wanted);
STILLROOM_API std::vector<std::string> missing_model_files(const RepoCache& cache,
                                                           const std::string& commit,
                                                           HubPart part);

}  // namespace stillroom::lm
