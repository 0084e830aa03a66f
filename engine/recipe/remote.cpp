#include "engine/recipe/remote.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/https.h"
#include "engine/base/refusal.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/recipe/lock_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <unordered_map>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPin = "#sha256=";

fs::path remote_folder() {
    return cache_folder() / "remote";
}

/// The last part of the address as a file name that harms nobody.
std::string file_name(const std::string& url) {
    std::string path = url.substr(0, url.find_first_of("?#"));
    std::string name = path.substr(path.rfind('/') + 1);
    bool plain = name.size() <= 100 && name.size() > 5 && name[0] != '.' &&
                 std::all_of(name.begin(), name.end(), [](char c) {
                     return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                 });
    return plain && name.ends_with(".yaml") ? name : "recipe.yaml";
}

void refuse_unpinned(const std::string& url, Span where, Diagnostics& diagnostics) {
    diagnostics
        .error(code::kUnpinned, where, fmt::format("the remote recipe '{}' is not pinned", url))
        .with_hint(
            "add '#sha256=' and the digest of its bytes, as `sha256sum` prints it; or "
            "`stillroom lock` the recipe that names it")
        .exits(kExitPolicy);
}

/// The cached bytes if they are those of the digest.
bool holds(const fs::path& file, const std::string& digest, std::size_t most_bytes) {
    std::error_code error;
    if (!fs::is_regular_file(file, error))
        return false;
    try {
        return sha256_hex(read_file(file, most_bytes)) == digest;
    } catch (const Error&) {
        return false;  // cut or grown: fetched again
    }
}

}  // namespace

bool is_address(std::string_view text) {
    return text.starts_with("https://") || text.starts_with("http://");
}

std::optional<RemoteAddress> read_address(const std::string& text,
                                          Span where,
                                          Diagnostics& diagnostics) {
    RemoteAddress address;
    std::size_t pin = text.find(kPin);
    address.url = text.substr(0, text.find('#'));
    if (pin != std::string::npos)
        address.sha256 = text.substr(pin + kPin.size());
    bool whole = address.sha256.size() == 64 &&
                 address.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (pin != std::string::npos && !whole) {
        diagnostics
            .error(code::kUnpinned,
                   where,
                   fmt::format("'{}' is no digest: it has 64 digits, 0-9 and a-f",
                               escape_controls(address.sha256)))
            .with_hint("add '#sha256=' and the digest of its bytes, as `sha256sum` prints it")
            .exits(kExitPolicy);
        return std::nullopt;
    }
    if (std::string fault = address_fault(address.url); !fault.empty()) {
        diagnostics
            .error(code::kUnpinned,
                   where,
                   fmt::format(
                       "nothing is fetched from '{}': {}", escape_controls(address.url), fault))
            .exits(kExitPolicy);
        return std::nullopt;
    }
    return address;
}

std::string RemoteRecipes::pin_of(const std::string& url) {
    if (!pins_)
        pins_ = options_.lock.empty() ? std::map<std::string, std::string>()
                                      : read_remote_pins(options_.lock);
    auto found = pins_->find(url);
    return found == pins_->end() ? "" : found->second;
}

std::optional<fs::path> RemoteRecipes::find(const std::string& text,
                                            Span where,
                                            Diagnostics& diagnostics) {
    std::optional<RemoteAddress> address = read_address(text, where, diagnostics);
    if (!address)
        return std::nullopt;
    const std::string& url = address->url;
    std::string& digest = address->sha256;
    if (digest.empty() && url != options_.anew)
        digest = pin_of(url);
    if (auto known = used_.find(url); digest.empty() && known != used_.end())
        digest = known->second;
    if (digest.empty() && !options_.pin_now) {
        refuse_unpinned(url, where, diagnostics);
        return std::nullopt;
    }
    auto place = [&] { return remote_folder() / digest / file_name(url); };
    if (!digest.empty() && holds(place(), digest, options_.most_bytes)) {
        used_[url] = digest;
        return place();
    }
    std::error_code error;
    if (options_.offline && !digest.empty() && fs::exists(place(), error)) {
        diagnostics
            .error(code::kRemoteDigest,
                   where,
                   fmt::format("the copy of '{}' in {} is not what its pin says, and offline mode "
                               "is on",
                               url,
                               remote_folder().string()))
            .with_hint("once without --offline fetches it anew")
            .exits(kExitIntegrity);
        return std::nullopt;
    }
    if (options_.offline) {
        diagnostics
            .error(code::kRemote,
                   where,
                   fmt::format("the remote recipe '{}' is not in {} and offline mode is on",
                               url,
                               remote_folder().string()))
            .with_hint("once without --offline fetches it")
            .exits(kExitNetwork);
        return std::nullopt;
    }
    std::string bytes;
    try {
        HttpsLimits limits;
        limits.bytes = options_.most_bytes;
        bytes = fetch_https(url, limits);
    } catch (const Error& failure) {
        diagnostics.error(code::kRemote, where, failure.what())
            .with_hint(failure.hint_text())
            .exits(failure.exit_code());
        return std::nullopt;
    }
    std::string got = sha256_hex(bytes);
    if (!digest.empty() && got != digest) {
        diagnostics
            .error(code::kRemoteDigest,
                   where,
                   fmt::format("'{}' has the SHA-256 {}, its pin says {}", url, got, digest))
            .with_hint("it was changed, or is not what was pinned: read it before you pin it anew")
            .exits(kExitIntegrity);
        return std::nullopt;
    }
    digest = got;
    fs::create_directories(place().parent_path());
    write_file(place(), bytes);
    used_[url] = digest;
    return place();
}

void refuse_fetching(const std::string& text, Span where, Diagnostics& diagnostics) {
    std::optional<RemoteAddress> address = read_address(text, where, diagnostics);
    if (!address)
        return;
    if (address->sha256.empty())
        return refuse_unpinned(address->url, where, diagnostics);
    diagnostics
        .error(code::kRemote,
               where,
               fmt::format("the remote recipe '{}' is not at hand, and nothing is fetched here",
                           address->url))
        .exits(kExitNetwork);
}

bool is_remote_copy(const fs::path& file) {
    std::error_code error;
    fs::path real = fs::weakly_canonical(fs::absolute(file, error), error);
    refuse_no_memory(error);  // for want of it a copy would pass for a file of one's own
    if (error)
        return false;
    fs::path folder = fs::weakly_canonical(fs::absolute(remote_folder(), error), error);
    refuse_no_memory(error);
    return !error && is_inside(real, folder);
}

std::function<bool(Span)> remote_places(const Sources& sources) {
    auto known = std::make_shared<std::unordered_map<const Source*, bool>>();
    return [&sources, known](Span where) {
        const Source* source = sources.find(where.begin);
        if (!source || source->is_argument())
            return false;
        auto [found, is_new] = known->emplace(source, false);
        if (is_new)
            found->second = is_remote_copy(source->name());
        return found->second;
    };
}

}  // namespace stillroom
