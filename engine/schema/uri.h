#pragma once

#include "engine/base/api.h"

#include <string>
#include <string_view>

namespace stillroom {

/// A URI in its two halves: all before the first '#', and what follows it.
struct SplitUri {
    std::string base;
    std::string fragment;
    bool has_fragment = false;
};

STILLROOM_API SplitUri split_fragment(std::string_view uri);

/// The URI that `reference` means inside a document whose URI is `base` (RFC 3986, 5.2). An empty
/// base leaves a relative reference as it is, less its dot segments.
STILLROOM_API std::string resolve_uri(std::string_view base, std::string_view reference);

/// %41 becomes A; a '%' that starts no escape stays.
STILLROOM_API std::string decode_percent(std::string_view text);

}  // namespace stillroom
