#include "plugins/lm/hub/hub_download.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "plugins/lm/hub/hub_cache.h"
#include "plugins/lm/hub/hub_client.h"
#include "plugins/lm/hub/hub_transfer.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

RepoCache cache_for(const HubSource& source, const HubSettings& settings) {
    return RepoCache(settings.cache, source, settings.links);
}

HubTree chosen(const HubRequest& request, const HubTree& tree) {
    return request.wanted ? select_files(tree, request.wanted)
                          : select_model_files(tree, request.part, request.source.told());
}

/// What of a commit is missing, by its tree, or by its index where no tree was kept.
std::vector<std::string> missing(const HubRequest& request,
                                 const RepoCache& cache,
                                 const std::string& commit) {
    if (std::optional<HubTree> tree = cache.tree(commit))
        return missing_files(cache, commit, chosen(request, *tree));
    if (!request.wanted && request.source.kind == RepoKind::model)
        return missing_model_files(cache, commit, request.part);
    std::error_code error;
    return fs::is_directory(cache.snapshot(commit), error) ? std::vector<std::string>{}
                                                           : std::vector<std::string>{"all of it"};
}

HubSnapshot snapshot_of(const HubRequest& request,
                        const RepoCache& cache,
                        const std::string& commit) {
    HubSnapshot snapshot{cache.snapshot(commit), commit, {}, {}};
    if (std::optional<HubTree> tree = cache.tree(commit))
        for (const HubFile& file : chosen(request, *tree))
            snapshot.files.push_back({snapshot.folder / file.path, file.size, ""});
    if (!request.source.pinned())
        snapshot.warnings.push_back(
            fmt::format("{} is not pinned: '{}' is {} today; hf:{}{}@{} names the same files "
                        "tomorrow",
                        request.source.told(),
                        request.source.revision,
                        commit,
                        request.source.kind == RepoKind::dataset ? "datasets/" : "",
                        request.source.repo,
                        commit));
    return snapshot;
}

std::string command_for(const HubSource& source) {
    return fmt::format("hf download {}{}{}",
                       source.repo,
                       source.kind == RepoKind::dataset ? " --repo-type dataset" : "",
                       source.revision == "main" ? "" : " --revision " + source.revision);
}

Error not_cached(const HubRequest& request,
                 const HubSettings& settings,
                 const RepoCache& cache,
                 std::string_view why) {
    const HubSource& source = request.source;
    std::optional<std::string> commit = cache.commit_of(source.revision);
    std::error_code error;
    bool some = commit && fs::is_directory(cache.snapshot(*commit), error);
    std::string what = "is not in";
    if (some) {
        std::vector<std::string> names = missing(request, cache, *commit);
        std::size_t count = names.size();
        names.resize(std::min<std::size_t>(count, 3));
        what = fmt::format("lacks {}{} in",
                           join(names),
                           count > 3 ? fmt::format(" and {} more", count - 3) : std::string());
    }
    Error made({},
               fmt::format("{} (revision {}) {} {} and {}",
                           source.told(),
                           source.revision,
                           what,
                           settings.cache.string(),
                           why));
    made.hint("`" + command_for(source) + "` fetches it").exit_code(kExitNetwork);
    return made;
}

bool is_line_down(const HubError& error) {
    return error.fault() == HubFault::unreachable || error.fault() == HubFault::too_many;
}

/// Files of one snapshot on their way into the cache.
class Fetcher {
public:
    Fetcher(const HubRequest& request,
            const HubWatch& watch,
            HubClient& client,
            const RepoCache& cache,
            std::string commit)
        : request_(request),
          watch_(watch),
          client_(client),
          cache_(cache),
          commit_(std::move(commit)) {}

    void fetch_all(const HubTree& files, HubSnapshot& snapshot) {
        for (const HubFile& file : files)
            all_ += file.size;
        snapshot.files.clear();
        for (const HubFile& file : files) {
            snapshot.files.push_back({snapshot.folder / file.path, file.size, fetch(file)});
            done_ += file.size;
            tell(0, file.path);
        }
    }

    /// Its digest where it came just now.
    std::string fetch(const HubFile& file) {
        if (is_there(file))
            return "";
        if (!std::exchange(prepared_, true)) {
            cache_.prepare();
            cache_.sweep();
        }
        if (is_sound(file.etag(), file.size)) {  // of another commit, or of a cut download
            cache_.keep_file(commit_, file.path, file.etag());
            return "";
        }
        HubHead head = client_.head(request_.source, commit_, file.path, true);
        if (head.commit != commit_)
            refuse(file, fmt::format("is of commit {}, not {}", head.commit, commit_));
        if (head.size.value_or(file.size) != file.size)
            refuse(file, fmt::format("has {} bytes, listed with {}", *head.size, file.size));
        std::string digest;
        if (head.etag == file.etag() || !is_sound(head.etag, file.size))
            digest = transfer_blob(client_,
                                   cache_,
                                   request_.source,
                                   commit_,
                                   file.path,
                                   head,
                                   file.size,
                                   [&](std::uint64_t bytes) { tell(bytes, file.path); });
        cache_.keep_file(commit_, file.path, head.etag);
        return digest;
    }

private:
    bool is_there(const HubFile& file) const {
        return cache_.holds(commit_, file) &&
               (!request_.verify || blob_is_sound(cache_, blob_name(file)));
    }

    /// What the snapshot's link names; a file without a link may be anything.
    std::string blob_name(const HubFile& file) const {
        std::error_code error;
        fs::path target = fs::read_symlink(cache_.snapshot(commit_) / file.path, error);
        return error ? file.etag() : target.filename().string();
    }

    bool is_sound(const std::string& etag, std::uint64_t size) const {
        return cache_.holds_blob(etag, size) && (!request_.verify || blob_is_sound(cache_, etag));
    }

    [[noreturn]] void refuse(const HubFile& file, const std::string& why) const {
        throw HubError(HubFault::wrong,
                       fmt::format("'{}' of {} {}", file.path, request_.source.told(), why),
                       "does HF_ENDPOINT name a hub?");
    }

    void tell(std::uint64_t of_file, const std::string& path) const {
        if (watch_.progress)
            watch_.progress(done_ + of_file, all_, path);
    }

    const HubRequest& request_;
    const HubWatch& watch_;
    HubClient& client_;
    const RepoCache& cache_;
    std::string commit_;
    std::uint64_t done_ = 0;
    std::uint64_t all_ = 0;
    bool prepared_ = false;
};

}  // namespace

std::optional<HubSnapshot> cached_snapshot(const HubRequest& request, const HubSettings& settings) {
    RepoCache cache = cache_for(request.source, settings);
    std::optional<std::string> commit = cache.commit_of(request.source.revision);
    if (!commit || !missing(request, cache, *commit).empty())
        return {};
    return snapshot_of(request, cache, *commit);
}

HubSnapshot fetch_snapshot(const HubRequest& request,
                           const HubSettings& settings,
                           const HubWatch& watch) {
    const HubSource& source = request.source;
    RepoCache cache = cache_for(source, settings);
    std::optional<HubSnapshot> cached = cached_snapshot(request, settings);
    if (cached && (settings.offline || (source.pinned() && !request.verify)))
        return *cached;
    if (settings.offline)
        throw not_cached(request, settings, cache, "offline mode is on");

    HubClient client(settings, watch.cancelled);
    std::string commit;
    try {
        commit = source.pinned() ? source.revision : client.commit_of(source, !cached);
    } catch (const HubError& error) {
        if (!is_line_down(error))
            throw;
        if (!cached)
            throw not_cached(request, settings, cache, error.what());
        cached->warnings.push_back(
            fmt::format("{}; the cached {} is used", error.what(), cached->commit));
        return *cached;
    }
    std::optional<HubTree> tree = cache.tree(commit);
    if (!tree) {
        tree = client.list(source, commit);
        std::error_code error;
        // A cache that others fill may be read-only; a hit writes nothing.
        if (!missing_files(cache, commit, chosen(request, *tree)).empty() || request.verify)
            cache.keep_tree(commit, *tree);
    }
    HubTree files = chosen(request, *tree);
    if (missing_files(cache, commit, files).empty()) {
        try {
            cache.keep_commit(source.revision, commit);
        } catch (const Error&) {  // likewise
        }
    } else {
        cache.keep_commit(source.revision, commit);
    }
    HubSnapshot snapshot = snapshot_of(request, cache, commit);
    Fetcher(request, watch, client, cache, commit).fetch_all(files, snapshot);
    return snapshot;
}

std::optional<fs::path> fetch_file(const HubSource& source,
                                   const std::string& path,
                                   const HubSettings& settings,
                                   const HubWatch& watch) {
    if (std::string fault = hub_path_fault(path); !fault.empty())
        throw Error(
            {}, fmt::format("'{}' is no file of a repository: {}", escape_controls(path), fault))
            .exit_code(kExitUsage);
    RepoCache cache = cache_for(source, settings);
    std::optional<std::string> known = cache.commit_of(source.revision);
    bool here = known && cache.holds(*known, path);
    bool absent = known && cache.known_absent(*known, path);
    if ((settings.offline || source.pinned()) && (here || absent))
        return here ? std::optional(cache.snapshot(*known) / path) : std::nullopt;
    HubRequest request{
        source, HubPart::all, [&](const HubFile& f) { return f.path == path; }, false};
    auto lacking = [&](std::string_view why) {
        Error made({},
                   fmt::format("'{}' of {} (revision {}) is not in {} and {}",
                               path,
                               source.told(),
                               source.revision,
                               settings.cache.string(),
                               why));
        made.hint(fmt::format("`{} {}` fetches it", command_for(source), path))
            .exit_code(kExitNetwork);
        return made;
    };
    if (settings.offline)
        throw lacking("offline mode is on");
    HubClient client(settings, watch.cancelled);
    HubHead head;
    std::string commit;
    try {
        commit = source.pinned() ? source.revision : client.commit_of(source, !here && !absent);
        if (cache.known_absent(commit, path))
            return {};
        if (cache.holds(commit, path))
            return cache.snapshot(commit) / path;
        head = client.head(source, commit, path, true);
    } catch (const HubError& error) {
        if (error.fault() == HubFault::file_not_found) {
            cache.keep_absent(commit, path);
            cache.keep_commit(source.revision, commit);
            return {};
        }
        if (!is_line_down(error))
            throw;
        if (!here && !absent)
            throw lacking(error.what());
        return here ? std::optional(cache.snapshot(*known) / path) : std::nullopt;
    }
    if (!head.size)
        throw HubError(
            HubFault::wrong,
            fmt::format("the hub does not say how long '{}' of {} is", path, source.told()),
            "");
    cache.keep_commit(source.revision, commit);
    HubSnapshot snapshot{cache.snapshot(commit), commit, {}, {}};
    Fetcher(request, watch, client, cache, commit)
        .fetch_all({{path, *head.size, head.etag, "", ""}}, snapshot);
    return snapshot.files[0].file;
}

HubSnapshot await_snapshot(const HubRequest& request,
                           const HubSettings& settings,
                           const HubWatch& watch,
                           double seconds) {
    auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    for (;;) {
        if (std::optional<HubSnapshot> found = cached_snapshot(request, settings))
            return *found;
        if (watch.cancelled && watch.cancelled())
            throw HubError(HubFault::stopped, "the wait for a download was stopped", "");
        if (std::chrono::steady_clock::now() >= end)
            throw HubError(HubFault::unreachable,
                           fmt::format("{} is still not in {} after {:.0f} s",
                                       request.source.told(),
                                       settings.cache.string(),
                                       seconds),
                           "the first rank of the node fetches it: its log says what it does");
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
}

}  // namespace stillroom::lm
