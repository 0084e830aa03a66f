#pragma once

#include "engine/base/api.h"
#include "engine/base/digest.h"
#include "engine/store/lease.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
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
    /// Those of them that are links to what lies elsewhere and was not copied. They count by what
    /// is in them, as if they lay here.
    std::set<std::string> links = {};
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
    std::string text;    ///< what the stage sent as text, for `do`; none if it was much
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

/// Unfinished work under a key: `work/<key>/`, with its lease. Destroying it releases the lease and
/// leaves the folder.
struct STILLROOM_API Work {
    std::string key;
    std::filesystem::path folder;  ///< <store>/work/<key>
    Lease lease;
    bool is_new = false;  ///< nobody had worked there before

    std::filesystem::path state() const { return folder / "work"; }  ///< the stage's own
    /// <output>/ below. Named for this lease: a stage that was thought dead and is not writes into
    /// a folder of its own, which nobody publishes.
    std::filesystem::path outputs() const { return folder / ("outputs-" + lease.owner().nonce); }
};

enum class Verify { sizes, digests };

struct EntrySummary {
    std::string key, stage, use, created, used;
    std::uint64_t bytes = 0;
    std::vector<std::string> pinned_by;  ///< run folders that link to it
};

struct Damage {
    std::string key;
    std::string what;      ///< "model/config.json is 12 bytes, the manifest says 14"
    bool outside = false;  ///< the entry is whole; what it links to or wrote elsewhere is not
};

/// Without either bound everything that may go goes; with both what either says.
struct CollectOptions {
    std::optional<double> older_than;       ///< seconds since last use
    std::optional<std::uint64_t> max_size;  ///< bytes to keep at most, least recently used go first
    bool dry_run = false;
};
struct Collected {
    std::vector<EntrySummary> removed;
    std::uint64_t bytes = 0;    ///< freed, leftovers included
    std::size_t leftovers = 0;  ///< unfinished work and temporary folders of dead runs
    std::uint64_t kept = 0;     ///< bytes of the entries that stay
};

/// Artifacts in folders named by the hash of what made them:
///
///     <key>/{manifest.json, <output>/}     complete and read-only, or not there
///     work/<key>/{lease, work/, outputs-*/}  unfinished, owned by one engine
///     bindings/, digests/, last/           what is remembered: of outside files, of stages
///     runs/                                where the run folders are that pin entries
///     tmp/                                 what is on its way in or out, named for its owner
///
/// Made lazily: reading from a store that is not there makes nothing. Any number of engines may
/// use one, on any number of hosts. A key is 64 lower-case hex digits; anything else throws Error
/// (exit 70).
class STILLROOM_API Store {
public:
    explicit Store(std::filesystem::path folder);

    const std::filesystem::path& folder() const { return folder_; }
    std::filesystem::path entry(std::string_view key) const;
    std::filesystem::path output(std::string_view key, std::string_view name) const;

    /// The manifest of a complete entry whose files have the sizes (and with Verify::digests the
    /// contents) it says, whose links lead to what they did, and whose `written` paths are there
    /// unchanged. `damage` says why an entry
    /// that exists does not count.
    std::optional<Manifest> find(std::string_view key,
                                 Verify verify,
                                 std::vector<Damage>& damage) const;

    /// The newest entry of the same stage name and type, to explain what changed; by `why`.
    std::optional<Manifest> last_of(std::string_view stage, std::string_view use) const;

    /// Unfinished work to begin or to go on with; nothing, with `holder` set, while another owns
    /// it. Who had to wait asks find() again: the other may have published. `outputs()` is there
    /// and empty, `state()` as it was left.
    std::optional<Work> open_work(std::string_view key, Owner& holder);

    /// The work of `from` becomes that of `to`, unless that has some of its own. Throws Error (exit
    /// 9) while either is in use.
    void hand_over_work(std::string_view from, std::string_view to);

    /// Hashes what `work.outputs()` holds into manifest.outputs (digests in `known`, by absolute
    /// path and stamp, are not worked out again), writes the manifest, syncs every file and folder,
    /// makes all read-only and renames it into place: the entry of the key of `manifest.record`,
    /// which is another one than that of the work where only the work told what it reads. Only
    /// outputs that manifest.outputs names, with their types, may be there; a link in them only to
    /// a file of an entry or of `sources`, and then it stays one. Where the entry is there already
    /// the first one stays, unless `replace`; its manifest is returned. The work folder goes.
    /// Throws Error: exit 9 if the lease is lost or a file changed meanwhile, 3 for what is no
    /// file, 4 where it cannot be written; then no entry was made and the work stays.
    Manifest publish(Work& work,
                     Manifest manifest,
                     const std::vector<FileRecord>& known,
                     bool replace = false,
                     unsigned threads = 1,
                     const std::set<std::filesystem::path>& sources = {});

    void drop_work(Work work);               ///< nothing of it is wanted
    void touch(std::string_view key) const;  ///< it was used now

    /// The newest whole entry whose stage wrote this path outside the store.
    std::optional<Manifest> find_written(const std::filesystem::path& path) const;

    std::optional<Binding> find_binding(std::string_view id) const;  ///< stamps are not looked at

    /// What is remembered of a source by where it is and what it held.
    std::optional<Binding::Folder> find_source(const std::filesystem::path& folder,
                                               std::string_view digest) const;
    void remember_binding(std::string_view id, const Binding& binding) const;

    /// The digest of an outside file: remembered by stamp unless `verify`. A file above `most`
    /// bytes that is not remembered has none.
    std::optional<FileRecord> outside_file(const std::filesystem::path& file,
                                           Verify verify,
                                           std::uint64_t most,
                                           unsigned threads) const;
    void remember(const FileRecord& file) const;

    /// Of a file its digest, of a folder the content digest, each file by outside_file(): what
    /// manifest.written says of a path. Throws Error (exit 3).
    std::string outside_digest(const std::filesystem::path& path,
                               Verify verify,
                               unsigned threads) const;

    /// What the run folder links to, stages/**/NAME -> <store>/<key>/NAME, is kept from now on;
    /// while its `lease` is held also all that is used meanwhile. Sweeps what dead engines left in
    /// tmp/, and of work that they had published.
    void register_run(const std::filesystem::path& run_folder) const;

    std::vector<EntrySummary> entries() const;
    std::vector<Damage> verify(Verify verify) const;
    void remove(std::string_view key) const;  ///< a damaged entry; exit 9 while a live run uses it

    /// Removes entries that no run folder links to and no live run uses, unfinished work and
    /// temporary files of engines that are gone.
    Collected collect(const CollectOptions& options) const;

private:
    std::filesystem::path folder_;
};

/// --store, STILLROOM_STORE, the configuration's `store`, then the user's cache folder.
STILLROOM_API std::filesystem::path store_folder(const std::string& flag,
                                                 const std::filesystem::path& configured);

}  // namespace stillroom
