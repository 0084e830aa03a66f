#include "engine/store/pins.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/refusal.h"
#include "engine/base/sha256.h"
#include "engine/store/fields.h"
#include "engine/store/places.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostPath = 16384;
constexpr int kDeepest = 32;
constexpr std::int64_t kClocksDiffer = 120;  // seconds, between hosts and the store's own

fs::path run_note(const fs::path& store, const fs::path& run_folder) {
    return store / "runs" / sha256_hex(run_folder.native());
}

std::int64_t seconds_of(const std::string& since) {
    std::tm parts{};
    return ::strptime(since.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) ? ::timegm(&parts) : 0;
}

/// Where in the store a link leads: its first two names. Nothing if it leads elsewhere.
std::vector<std::string> place_in(const fs::path& store,
                                  const fs::path& real,
                                  const fs::path& link) {
    std::error_code error;
    fs::path target = fs::read_symlink(link, error);
    if (error)
        return {};
    target = (link.parent_path() / target).lexically_normal();
    fs::path inside = target.lexically_relative(store);
    if (inside.empty() || *inside.begin() == "..")
        inside = fs::weakly_canonical(target, error).lexically_relative(real);
    if (error || inside.empty() || *inside.begin() == "..")
        return {};
    std::vector<std::string> names;
    for (const fs::path& part : inside)
        names.push_back(part.string());
    return names;
}

struct Linked {
    std::set<std::string> entries;
    std::set<std::string> work;
};

Linked links_of(const fs::path& store, const fs::path& real, const fs::path& run_folder) {
    Linked linked;
    std::error_code error;
    fs::recursive_directory_iterator it(
        run_folder / "stages", fs::directory_options::skip_permission_denied, error);
    for (fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
        if (it.depth() > kDeepest)
            it.disable_recursion_pending();
        std::error_code ignored;
        if (!it->is_symlink(ignored))
            continue;
        std::vector<std::string> names = place_in(store, real, it->path());
        if (!names.empty() && is_digest(names[0]))
            linked.entries.insert(names[0]);
        if (names.size() > 1 && names[0] == "work" && is_digest(names[1]))
            linked.work.insert(names[1]);
    }
    return linked;
}

}  // namespace

Pins read_pins(const fs::path& store) {
    Pins pins;
    std::error_code error;
    fs::path real = fs::weakly_canonical(store, error);
    refuse_no_memory(error);
    auto lives = [&](const Owner& owner) {
        std::int64_t began = seconds_of(owner.since) - kClocksDiffer;
        pins.since = std::min(pins.since.value_or(began), began);
    };
    for (const std::string& name : list_folder(store / "runs")) {
        fs::path run_folder;
        try {
            run_folder = read_file(store / "runs" / name, kMostPath);
        } catch (const Error&) {
            continue;
        }
        if (!fs::is_directory(run_folder, error)) {
            pins.gone.push_back(store / "runs" / name);
            continue;
        }
        Linked linked = links_of(store, real, run_folder);
        for (const std::string& key : linked.entries)
            pins.entries[key].push_back(run_folder.string());
        pins.work.insert(linked.work.begin(), linked.work.end());
        if (std::optional<Owner> owner = Lease::holder(run_folder / "lease")) {
            lives(*owner);
            pins.live.insert(linked.entries.begin(), linked.entries.end());
        }
    }
    for (auto& [key, runs] : pins.entries)
        std::sort(runs.begin(), runs.end());
    for (const std::string& key : list_folder(store / "work"))
        if (std::optional<Owner> owner = Lease::holder(store / "work" / key / "lease")) {
            lives(*owner);
            pins.live_work.insert(key);
        }
    return pins;
}

void Store::register_run(const fs::path& run_folder) const {
    fs::path absolute = fs::absolute(run_folder).lexically_normal();
    if (!absolute.has_filename())
        absolute = absolute.parent_path();
    put_remembered(folder_, run_note(folder_, absolute), absolute.native());
    sweep_temporary(folder_, false);
    sweep_published(folder_);
}

}  // namespace stillroom
