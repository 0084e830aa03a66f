#pragma once

#include "engine/base/api.h"
#include "plugins/lm/hub/hub_error.h"
#include "plugins/lm/hub/hub_settings.h"
#include "plugins/lm/hub/hub_source.h"
#include "plugins/lm/hub/hub_tree.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// How a caller follows and ends what takes time. Any may be empty.
struct HubWatch {
    /// Bytes there of all that are wanted, cached ones included, and the file on its way.
    std::function<void(std::uint64_t done, std::uint64_t all, std::string_view file)> progress;
    std::function<bool()> cancelled;
};

struct HubRequest {
    HubSource source;
    HubPart part = HubPart::all;
    std::function<bool(const HubFile&)> wanted;  ///< another choice than a model folder's
    /// Blobs that are there already are hashed before they are believed; those that arrive always
    /// are, where the hub says what they must be.
    bool verify = false;
};

struct HubFetched {
    std::filesystem::path file;  ///< in the snapshot, a link
    std::uint64_t size = 0;
    std::string digest;  ///< as of digest.h, worked out while it arrived; empty: it was there
};

struct HubSnapshot {
    std::filesystem::path folder;
    std::string commit;
    std::vector<HubFetched> files;      ///< small ones first; empty: the cache could not say which
    std::vector<std::string> warnings;  ///< to be shown: not pinned, the hub not reached
};

/// The files of a repository at a revision, in the cache. What is there costs no request for a
/// commit and one for a name; without the network, or offline, the cache alone answers. Throws
/// HubError, or Error: exit 5 with what is missing; 4 for a full or read-only disk; 10 and 3 as
/// select_model_files does.
STILLROOM_API HubSnapshot fetch_snapshot(const HubRequest& request,
                                         const HubSettings& settings,
                                         const HubWatch& watch);

/// The same from the cache alone: nothing if something is missing.
STILLROOM_API std::optional<HubSnapshot> cached_snapshot(const HubRequest& request,
                                                         const HubSettings& settings);

/// One file that a repository may have or not; nothing: it has none.
STILLROOM_API std::optional<std::filesystem::path> fetch_file(const HubSource& source,
                                                              const std::string& path,
                                                              const HubSettings& settings,
                                                              const HubWatch& watch);

/// For all ranks of a node but its first: waits until that one has fetched. Throws HubError (exit
/// 5) when `seconds` have passed.
STILLROOM_API HubSnapshot await_snapshot(const HubRequest& request,
                                         const HubSettings& settings,
                                         const HubWatch& watch,
                                         double seconds);

}  // namespace stillroom::lm
