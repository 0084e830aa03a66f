#pragma once

#include "engine/base/api.h"
#include "engine/base/digest.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// An output of a stage, as its manifest lists it.
struct StoredOutput {
    std::string name;
    std::string type;               ///< port type
    std::string digest;             ///< content_digest of the files
    std::vector<FileRecord> files;  ///< stamps are not stored
};

/// What stands in manifest.json of an entry: all that is needed to trust it and to say how it was
/// made.
struct Manifest {
    std::string key;
    std::string stage;    ///< name of the stage that first made it
    std::string use;      ///< stage type
    std::string record;   ///< the key's fields as canonical JSON: its SHA-256 is the key
    std::string created;  ///< RFC 3339 UTC
    double seconds = 0;
    std::string engine;   ///< version
    std::string plugin;   ///< name and version
    std::string build;    ///< digest of the plugin's file
    std::string machine;  ///< class: "x86-64-v4", "x86-64-v3+amx", "sm_90"
    int threads = 0;
    std::map<std::string, std::string> decided;  ///< what `auto` became
    std::vector<StoredOutput> outputs;
    std::map<std::string, std::string>
        written;         ///< path outside the store (x-path: output) -> digest
    std::string failed;  ///< why a quality gate refused it; empty: it did not
};

/// A source that a stage named rather than made: outside files, known by what they hold.
struct Binding {
    struct Folder {
        std::string type;
        std::filesystem::path path;
        std::vector<FileRecord> files;  ///< with stamps
        std::string digest;
    };
    std::map<std::string, Folder> outputs;  ///< by output name; empty: the stage made its outputs
    std::vector<FileRecord> reads;          ///< other outside files it read; absolute, with stamps
    std::string key;                        ///< of the entry, where the outputs were made
};

/// Who owns unfinished work.
struct Owner {
    std::string host;
    std::string boot;  ///< boot id of the host
    long pid = 0;
    std::string nonce;
    std::string since;  ///< RFC 3339 UTC
};

/// A file that says "this is mine" on any file system: made exclusively, never locked, with a beat
/// that others watch. Released by the destructor.
class STILLROOM_API Lease {
public:
    /// Nothing, with `holder` set, while somebody else holds it. A holder whose process is gone
    /// (same host and boot) is replaced at once; any other after `kBeatsToLive` beats without
    /// change, which the caller gives it by asking again.
    static std::optional<Lease> take(const std::filesystem::path& file, Owner& holder);

    Lease(Lease&&) noexcept;
    Lease& operator=(Lease&&) noexcept;
    ~Lease();

    bool still_mine() const;  ///< false if another took it over; then nothing may be published
    void release();

    static constexpr int kBeatSeconds = 2;
    static constexpr int kBeatsToLive = 10;

private:
    struct State;
    explicit Lease(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Unfinished work under a key: `work/<key>/`, with its lease. Destroying it releases the lease and
/// leaves the folder.
struct STILLROOM_API Work {
    std::string key;
    std::filesystem::path folder;  ///< <store>/work/<key>
    Lease lease;

    std::filesystem::path state() const { return folder / "work"; }       ///< the stage's own
    std::filesystem::path outputs() const { return folder / "outputs"; }  ///< <output>/ below
};

enum class Verify { sizes, digests };

struct EntrySummary {
    std::string key, stage, use, created, used;
    std::uint64_t bytes = 0;
    std::vector<std::string> pinned_by;  ///< run folders that link to it
};

struct Damage {
    std::string key;
    std::string what;  ///< "model/config.json is 12 bytes, the manifest says 14"
};

struct CollectOptions {
    std::optional<double> older_than;       ///< seconds since last use
    std::optional<std::uint64_t> max_size;  ///< bytes to keep at most, least recently used go first
    bool dry_run = false;
};
struct Collected {
    std::vector<EntrySummary> removed;
    std::uint64_t bytes = 0;
    std::size_t leftovers = 0;  ///< unfinished work and temporary folders of dead runs
};

/// Artifacts in folders named by the hash of what made them:
///
///     <key>/{manifest.json, <output>/}     complete and read-only, or not there
///     work/<key>/{lease, work/, outputs/}  unfinished, owned by one engine
///     bindings/, digests/                  what is remembered of outside files
///     runs/                                where the run folders are that pin entries
///
/// Made lazily: reading from a store that is not there makes nothing.
class STILLROOM_API Store {
public:
    explicit Store(std::filesystem::path folder);

    const std::filesystem::path& folder() const { return folder_; }
    std::filesystem::path entry(std::string_view key) const { return folder_ / key; }
    std::filesystem::path output(std::string_view key, std::string_view name) const;

    /// The manifest of a complete entry whose files have the sizes (and with Verify::digests the
    /// contents) it says, and whose `written` paths are there unchanged. `damage` says why an entry
    /// that exists does not count.
    std::optional<Manifest> find(std::string_view key,
                                 Verify verify,
                                 std::vector<Damage>& damage) const;

    /// The newest entry of the same stage name and type, to explain what changed; by `why`.
    std::optional<Manifest> last_of(std::string_view stage, std::string_view use) const;

    /// Unfinished work to begin or to go on with; nothing, with `holder` set, while another owns
    /// it.
    std::optional<Work> open_work(std::string_view key, Owner& holder);

    /// The work of `from` becomes that of `to`, unless that has some of its own.
    void hand_over_work(std::string_view from, std::string_view to);

    /// Hashes what `work.outputs()` holds into manifest.outputs (digests in `known`, by absolute
    /// path and stamp, are not worked out again), writes the manifest, syncs every file and folder,
    /// makes all read-only and renames it into place. Where the entry is there already the first
    /// one stays, unless `replace`; its manifest is returned. The work folder goes.
    Manifest publish(Work& work,
                     Manifest manifest,
                     const std::vector<FileRecord>& known,
                     bool replace = false);

    void drop_work(Work work);               ///< nothing of it is wanted
    void touch(std::string_view key) const;  ///< it was used now

    std::optional<Binding> find_binding(std::string_view id) const;  ///< stamps are not looked at
    void remember_binding(std::string_view id, const Binding& binding) const;

    /// The digest of an outside file: remembered by stamp unless `verify`. A file above `most`
    /// bytes that is not remembered has none.
    std::optional<FileRecord> outside_file(const std::filesystem::path& file,
                                           Verify verify,
                                           std::uint64_t most,
                                           unsigned threads) const;
    void remember(const FileRecord& file) const;

    void register_run(const std::filesystem::path& run_folder) const;

    std::vector<EntrySummary> entries() const;
    std::vector<Damage> verify(Verify verify) const;
    void remove(std::string_view key) const;  ///< a damaged entry; never one that is in use
    Collected collect(const CollectOptions& options) const;

private:
    std::filesystem::path folder_;
};

/// --store, STILLROOM_STORE, the configuration's `store`, then the user's cache folder.
STILLROOM_API std::filesystem::path store_folder(const std::string& flag);

}  // namespace stillroom
