#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/units.h"
#include "engine/store/fields.h"
#include "engine/store/manifest.h"
#include "engine/store/pins.h"
#include "engine/store/places.h"
#include "engine/store/store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostManifest = std::size_t{256} << 20;
constexpr double kNotesLive = 180.0 * 24 * 3600;  // seconds; then a file is hashed again

struct Listed {
    EntrySummary summary;
    timespec used{};
};

double age_of(const timespec& time) {
    return std::difftime(std::time(nullptr), time.tv_sec);
}

Listed look_at(const fs::path& folder, const std::string& key) {
    Listed listed;
    listed.summary.key = key;
    struct stat status {};
    fs::path file = folder / "manifest.json";
    try {
        std::string text = read_file(file, kMostManifest);
        std::uint64_t bytes = text.size();
        Manifest manifest = parse_manifest(std::move(text), key);
        for (const StoredOutput& output : manifest.outputs)
            for (const FileRecord& record : output.files)
                bytes += output.links.contains(record.path) ? 0 : record.size;
        listed.summary.stage = manifest.stage;
        listed.summary.use = manifest.use;
        listed.summary.created = manifest.created;
        listed.summary.bytes = bytes;
    } catch (const Unreadable&) {
        listed.summary.bytes = bytes_below(folder);
    } catch (const Error&) {
        listed.summary.bytes = bytes_below(folder);
    }
    if (::lstat(file.c_str(), &status) == 0 || ::lstat(folder.c_str(), &status) == 0)
        listed.used = status.st_mtim;
    listed.summary.used = utc_text(listed.used.tv_sec, listed.used.tv_nsec);
    return listed;
}

std::vector<Listed> list_entries(const fs::path& store, const Pins& pins) {
    std::vector<Listed> all;
    for (const std::string& name : list_folder(store)) {
        if (!is_digest(name))
            continue;
        all.push_back(look_at(store / name, name));
        if (auto pinned = pins.entries.find(name); pinned != pins.entries.end())
            all.back().summary.pinned_by = pinned->second;
    }
    return all;
}

bool is_still_unused(const fs::path& entry, const timespec& used) {
    struct stat status {};
    return ::lstat((entry / "manifest.json").c_str(), &status) != 0 ||
           (status.st_mtim.tv_sec == used.tv_sec && status.st_mtim.tv_nsec == used.tv_nsec);
}

/// Of those that may go the ones that the bounds ask for, least recently used first.
std::vector<const Listed*> choose(const std::vector<Listed>& entries,
                                  const Pins& pins,
                                  const CollectOptions& options) {
    std::uint64_t total = 0;
    std::vector<const Listed*> free;
    for (const Listed& entry : entries) {
        total += entry.summary.bytes;
        bool in_use = pins.live.count(entry.summary.key) > 0 ||
                      (pins.since && entry.used.tv_sec >= *pins.since);
        if (entry.summary.pinned_by.empty() && !in_use)
            free.push_back(&entry);
    }
    std::stable_sort(free.begin(), free.end(), [](const Listed* a, const Listed* b) {
        return std::pair(a->used.tv_sec, a->used.tv_nsec) <
               std::pair(b->used.tv_sec, b->used.tv_nsec);
    });
    std::vector<const Listed*> chosen;
    for (const Listed* entry : free) {
        bool all = !options.older_than && !options.max_size;
        bool old = options.older_than && age_of(entry->used) > *options.older_than;
        bool large = options.max_size && total > *options.max_size;
        if (!all && !old && !large)
            continue;
        chosen.push_back(entry);
        total -= entry->summary.bytes;
    }
    return chosen;
}

/// Unfinished work that nobody holds and no run folder would go on with.
void collect_work(const fs::path& store,
                  const Pins& pins,
                  const CollectOptions& options,
                  Collected& collected) {
    for (const std::string& key : list_folder(store / "work")) {
        fs::path folder = store / "work" / key;
        struct stat status {};
        bool wanted = pins.work.count(key) > 0 || pins.live_work.count(key) > 0 ||
                      ::lstat(folder.c_str(), &status) != 0 ||
                      (options.older_than && age_of(status.st_mtim) <= *options.older_than);
        if (wanted)
            continue;
        std::uint64_t bytes = bytes_below(folder);
        if (!options.dry_run) {
            Owner holder;
            std::optional<Lease> lease = Lease::take(folder / "lease", holder);
            if (!lease)
                continue;  // somebody went on with it just now
            Work work{key, folder, std::move(*lease)};
            remove_work(work);
        }
        ++collected.leftovers;
        collected.bytes += bytes;
    }
}

/// What is remembered of entries and files that are no more.
void collect_notes(const fs::path& store, const Pins& pins) {
    for (const fs::path& note : pins.gone)
        ::unlink(note.c_str());
    for (const std::string& name : list_folder(store / "last")) {
        fs::path note = store / "last" / name;
        std::error_code error;
        try {
            if (!fs::exists(store / read_file(note, 64), error))
                ::unlink(note.c_str());
        } catch (const Error&) {
        }
    }
    for (const std::string& first : list_folder(store / "digests"))
        for (const std::string& rest : list_folder(store / "digests" / first)) {
            fs::path note = store / "digests" / first / rest;
            struct stat status {};
            if (::lstat(note.c_str(), &status) == 0 && age_of(status.st_mtim) > kNotesLive)
                ::unlink(note.c_str());
        }
}

}  // namespace

std::vector<EntrySummary> Store::entries() const {
    std::vector<EntrySummary> summaries;
    for (Listed& entry : list_entries(folder_, read_pins(folder_)))
        summaries.push_back(std::move(entry.summary));
    return summaries;
}

std::vector<Damage> Store::verify(Verify verify) const {
    std::vector<Damage> found;
    for (const std::string& name : list_folder(folder_)) {
        if (!is_digest(name))
            continue;
        std::vector<Damage> damage;
        find(name, verify, damage);
        std::erase_if(damage, [](const Damage& one) { return one.outside; });
        found.insert(found.end(), damage.begin(), damage.end());
    }
    return found;
}

void Store::remove(std::string_view key) const {
    fs::path folder = entry(key);
    Pins pins = read_pins(folder_);
    if (pins.live.count(std::string(key)) > 0)
        throw Error({}, fmt::format("{} is in use by a run at work", folder.string()))
            .hint("wait until it has finished, or stop it")
            .exit_code(kExitIntegrity);
    discard(folder_, folder);
}

Collected Store::collect(const CollectOptions& options) const {
    Collected collected;
    Pins pins = read_pins(folder_);
    std::vector<Listed> entries = list_entries(folder_, pins);
    for (const Listed& entry : entries)
        collected.kept += entry.summary.bytes;
    for (const Listed* entry : choose(entries, pins, options)) {
        fs::path folder = folder_ / entry->summary.key;
        if (!options.dry_run) {
            if (!is_still_unused(folder, entry->used))
                continue;
            discard(folder_, folder);
        }
        collected.removed.push_back(entry->summary);
        collected.bytes += entry->summary.bytes;
        collected.kept -= entry->summary.bytes;
    }
    collect_work(folder_, pins, options, collected);
    Swept swept = sweep_temporary(folder_, options.dry_run);
    collected.leftovers += swept.count;
    collected.bytes += swept.bytes;
    if (!options.dry_run)
        collect_notes(folder_, pins);
    return collected;
}

}  // namespace stillroom
