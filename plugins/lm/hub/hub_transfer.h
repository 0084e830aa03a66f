#pragma once

#include "plugins/lm/hub/hub_cache.h"
#include "plugins/lm/hub/hub_client.h"

#include <cstdint>
#include <functional>
#include <string>

namespace stillroom::lm {

/// Fetches one blob into the cache: under a name of its own until it is whole, of the right size
/// and, where its etag is a SHA-256, of that hash. A line that breaks is taken up where it broke.
/// It is asked for by its commit, so it cannot become another file on the way; a server where it
/// does is refused. Returns the file's digest (engine/base/digest.h). Throws HubError, Error (exit
/// 4).
std::string transfer_blob(HubClient& client,
                          const RepoCache& cache,
                          const HubSource& source,
                          const std::string& commit,
                          const std::string& path,
                          HubHead head,
                          std::uint64_t size,
                          const std::function<void(std::uint64_t)>& arrived);

/// True if the blob is what its etag says; nothing else can be told of one that is no SHA-256.
bool blob_is_sound(const RepoCache& cache, const std::string& etag);

/// 64 lower-case hex digits.
bool is_sha256(std::string_view text);

}  // namespace stillroom::lm
