#include "plugins/lm/hub/hub_settings.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/http.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongestToken = 8192;

bool is_name_character(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The name after a '$' at `at`, with the text it takes up; empty where none stands there.
struct Reference {
    std::string name;
    std::size_t length = 0;
};

Reference reference_at(const std::string& text, std::size_t at) {
    bool braces = at + 1 < text.size() && text[at + 1] == '{';
    std::size_t begin = at + (braces ? 2 : 1), end = begin;
    if (braces)
        end = std::min(text.find('}', begin), text.size());
    else
        while (end < text.size() && is_name_character(text[end]))
            ++end;
    if (end == begin || (braces && end == text.size()))
        return {};
    return {text.substr(begin, end - begin), end - at + (braces ? 1 : 0)};
}

/// "~", "$NAME" and "${NAME}"; a name that is not set stays as it stands.
fs::path expanded(const std::string& text) {
    std::string out;
    std::size_t i = 0;
    if (text.starts_with("~") && (text.size() == 1 || text[1] == '/')) {
        out = home_folder().string();
        i = 1;
    }
    while (i < text.size()) {
        Reference found = text[i] == '$' ? reference_at(text, i) : Reference{};
        const char* value = found.length ? std::getenv(found.name.c_str()) : nullptr;
        if (value)
            out += value;
        else
            out += text.substr(i, std::max<std::size_t>(found.length, 1));
        i += std::max<std::size_t>(found.length, 1);
    }
    return fs::path(out).lexically_normal();
}

bool is_true(const std::string& value) {
    std::string upper = value;
    for (char& c : upper)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return upper == "1" || upper == "ON" || upper == "YES" || upper == "TRUE";
}

fs::path home_of_hub() {
    if (std::string home = environment("HF_HOME"); !home.empty())
        return expanded(home);
    std::string cache = environment("XDG_CACHE_HOME");
    return expanded(cache.empty() ? "~/.cache" : cache) / "huggingface";
}

fs::path cache_of_hub() {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
        if (std::string named = environment(name); !named.empty())
            return expanded(named);
    return home_of_hub() / "hub";
}

double seconds_in(const char* name, double otherwise) {
    std::string text = environment(name);
    char* end = nullptr;
    double value = std::strtod(text.c_str(), &end);
    bool usable = !text.empty() && *end == '\0' && std::isfinite(value) && value > 0;
    return usable ? std::min(value, 86400.0) : otherwise;
}

/// Editors and `echo` end a token with a newline.
std::string bare_token(std::string text) {
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
    return std::string(trim(text));
}

std::optional<HubToken> find_token() {
    if (is_true(environment("HF_HUB_DISABLE_IMPLICIT_TOKEN")))
        return {};
    for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
        if (std::string text = bare_token(environment(name)); !text.empty())
            return HubToken(text, name);
    std::string named = environment("HF_TOKEN_PATH");
    fs::path file = named.empty() ? home_of_hub() / "token" : expanded(named);
    std::error_code error;
    if (!fs::is_regular_file(file, error))
        return {};
    std::string text;
    try {
        text = bare_token(read_file(file, kLongestToken));
    } catch (const Error&) {  // one that we may not read is none; what needs it will say so
        return {};
    }
    if (text.empty())
        return {};
    return HubToken(text, file.string());
}

std::string find_endpoint(std::string otherwise) {
    std::string endpoint = environment("HF_ENDPOINT");
    while (endpoint.ends_with('/'))
        endpoint.pop_back();
    if (endpoint.empty())
        return otherwise;
    std::string fault = http_address_fault(endpoint, true);
    if (fault.empty() && endpoint.find_first_of("?#") != endpoint.npos)
        fault = "it holds '?' or '#'";
    if (!fault.empty())
        throw Error({}, "HF_ENDPOINT is no address of a hub: " + fault).exit_code(kExitNetwork);
    return endpoint;
}

}  // namespace

HubToken::HubToken(std::string text, std::string source)
    : text_(std::move(text)),
      source_(std::move(source)) {
    bool sendable = text_.size() <= kLongestToken &&
                    std::all_of(text_.begin(), text_.end(), [](unsigned char c) {
                        return c > ' ' && c < 0x7f;
                    });
    if (!sendable)
        throw Error({},
                    fmt::format("the token from {} holds a character that no token has", source_))
            .hint("it is one word of plain letters; `hf auth login` writes a new one")
            .exit_code(kExitNetwork);
}

HubSettings HubSettings::from_environment(bool offline) {
    HubSettings settings;
    settings.cache = cache_of_hub();
    settings.endpoint = find_endpoint(settings.endpoint);
    settings.token = find_token();
    std::string hub = environment("HF_HUB_OFFLINE");
    settings.offline = offline || is_true(hub.empty() ? environment("TRANSFORMERS_OFFLINE") : hub);
    settings.links = !is_true(environment("HF_HUB_DISABLE_SYMLINKS"));
    settings.ask_seconds = seconds_in("HF_HUB_ETAG_TIMEOUT", settings.ask_seconds);
    settings.download_seconds = seconds_in("HF_HUB_DOWNLOAD_TIMEOUT", settings.download_seconds);
    return settings;
}

}  // namespace stillroom::lm
