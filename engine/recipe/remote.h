#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace stillroom {

/// True for what names a recipe elsewhere: https:// (http:// too, to be refused).
STILLROOM_API bool is_address(std::string_view text);

/// `https://host/base.yaml#sha256=<64 hex>`, taken apart.
struct RemoteAddress {
    std::string url;
    std::string sha256;  ///< of the bytes; empty: not pinned
};

/// Nothing, with a mistake, for a pin that is none and for what may not be fetched.
STILLROOM_API std::optional<RemoteAddress> read_address(const std::string& text,
                                                        Span where,
                                                        Diagnostics& diagnostics);

/// The remote recipes of one invocation: each is fetched once, held to its pin and kept in the
/// user's cache by its digest, remote/<sha256>/NAME.yaml, a folder with nothing else in it.
class STILLROOM_API RemoteRecipes {
public:
    struct Options {
        bool offline = false;
        std::size_t most_bytes = 1 << 20;
        std::filesystem::path lock;  ///< a recipe.lock whose pins count; empty: none
        std::string anew;            ///< an address whose pin in the lock does not count
        bool pin_now = false;        ///< take what an unpinned address gives today: for `lock`
    };
    explicit RemoteRecipes(Options options) : options_(std::move(options)) {}

    /// The file in the cache. Nothing, with a mistake: 10 for one without a pin, 9 where the bytes
    /// are others, 5 where it cannot be had.
    std::optional<std::filesystem::path> find(const std::string& address,
                                              Span where,
                                              Diagnostics& diagnostics);

    /// The digest of each address that was asked for.
    const std::map<std::string, std::string>& used() const { return used_; }

private:
    std::string pin_of(const std::string& url);

    Options options_;
    std::map<std::string, std::string> used_;
    std::optional<std::map<std::string, std::string>>
        pins_;  // of the lock, read when one is needed
};

/// Where nothing may be fetched, as while a word is completed.
STILLROOM_API void refuse_fetching(const std::string& text, Span where, Diagnostics& diagnostics);

/// True for a file among the cached remote recipes.
STILLROOM_API bool is_remote_copy(const std::filesystem::path& file);

/// Says of a place whether it lies in the text of a remote recipe.
STILLROOM_API std::function<bool(Span)> remote_places(const Sources& sources);

}  // namespace stillroom
