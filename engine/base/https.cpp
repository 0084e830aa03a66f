// libcurl is opened when something is fetched and never linked: with the thirty libraries behind it
// each start of the program would take twice as long, and most starts fetch nothing.

#include "engine/base/https.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/text.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

namespace stillroom {
namespace {

constexpr int kTries = 4;
constexpr long kMostRedirects = 5;
constexpr double kLongestWait = 10;  // seconds between two tries, whatever the server asks for
constexpr long kConnectSeconds = 15;
constexpr long kSlowestBytes = 16;  // a second, over kSlowSeconds
constexpr long kSlowSeconds = 15;
constexpr std::size_t kLongestAddress = 2048;

/// The functions of libcurl that are used here.
struct Curl {
    decltype(&::curl_global_init) global_init = nullptr;
    decltype(&::curl_easy_init) init = nullptr;
    decltype(&::curl_easy_cleanup) cleanup = nullptr;
    decltype(&::curl_easy_perform) perform = nullptr;
    decltype(&::curl_easy_strerror) describe = nullptr;
    CURLcode (*set)(CURL*, CURLoption, ...) = nullptr;
    CURLcode (*get)(CURL*, CURLINFO, ...) = nullptr;
};

const Curl& curl() {
    static const Curl functions = [] {
        void* library = nullptr;
        for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4"})
            if (!library)
                library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
        Curl found;
        auto take = [&](auto& function, const char* name) {
            if (library)
                function =
                    reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, name));
            if (!function)
                throw Error({}, "nothing can be fetched: libcurl is not installed")
                    .hint("on Debian: apt-get install libcurl4")
                    .exit_code(kExitResource);
        };
        take(found.global_init, "curl_global_init");
        take(found.init, "curl_easy_init");
        take(found.cleanup, "curl_easy_cleanup");
        take(found.perform, "curl_easy_perform");
        take(found.describe, "curl_easy_strerror");
        take(found.set, "curl_easy_setopt");
        take(found.get, "curl_easy_getinfo");
        found.global_init(CURL_GLOBAL_DEFAULT);
        return found;
    }();
    return functions;
}

struct Answer {
    CURLcode code = CURLE_OK;
    std::string why;  ///< in curl's words
    long status = 0;
    std::optional<double> retry_after;
    std::string body;
    bool too_large = false;
};

struct Body {
    std::string text;
    std::size_t limit = 0;
    bool too_large = false;
};

std::size_t take_bytes(char* bytes, std::size_t size, std::size_t count, void* target) {
    auto& body = *static_cast<Body*>(target);
    std::size_t more = size * count;
    if (more > body.limit - body.text.size()) {
        body.too_large = true;
        return 0;  // ends the transfer
    }
    body.text.append(bytes, more);
    return more;
}

/// One try.
Answer ask(const std::string& address, std::size_t most_bytes, double seconds) {
    const Curl& c = curl();
    std::unique_ptr<CURL, void (*)(CURL*)> handle(c.init(), c.cleanup);
    char words[CURL_ERROR_SIZE] = "";
    Body body;
    body.limit = most_bytes;
    // An option that this libcurl does not know would leave a door open.
    auto set = [&](CURLoption option, auto value) {
        if (!handle || c.set(handle.get(), option, value) != CURLE_OK)
            throw Error({}, "nothing can be fetched: this libcurl is older than 7.85")
                .exit_code(kExitResource);
    };
    set(CURLOPT_URL, address.c_str());
    set(CURLOPT_PROTOCOLS_STR, "https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, kMostRedirects);
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "stillroom");
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_TIMEOUT_MS, std::max(1L, static_cast<long>(seconds * 1000)));
    set(CURLOPT_LOW_SPEED_LIMIT, kSlowestBytes);
    set(CURLOPT_LOW_SPEED_TIME, kSlowSeconds);
    set(CURLOPT_ERRORBUFFER, words);
    set(CURLOPT_WRITEFUNCTION, &take_bytes);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&body));
    std::string bundle = environment("STILLROOM_CA_BUNDLE");
    if (bundle.empty())
        bundle = environment("SSL_CERT_FILE");
    if (!bundle.empty())
        set(CURLOPT_CAINFO, bundle.c_str());

    Answer answer;
    answer.code = c.perform(handle.get());
    answer.why = escape_controls(*words ? words : c.describe(answer.code));
    c.get(handle.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    curl_off_t wait = 0;
    if (c.get(handle.get(), CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
        answer.retry_after = static_cast<double>(wait);
    answer.body = std::move(body.text);
    answer.too_large = body.too_large;
    return answer;
}

/// True for what a busy server or a bad line does.
bool may_pass(const Answer& answer) {
    switch (answer.code) {
        case CURLE_OK:
            return answer.status == 429 || answer.status >= 500;
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
            return true;
        default:
            return false;
    }
}

std::string status_text(long status) {
    switch (status) {
        case 401:
        case 403:
            return fmt::format("{}, it asks who you are", status);
        case 404:
            return "404, there is no such file";
        case 429:
            return "429, too many requests";
        default:
            return std::to_string(status);
    }
}

Error failure(const std::string& address, const Answer& answer, const HttpsLimits& limits) {
    auto error = [](std::string message, std::string hint) {
        Error made({}, std::move(message));
        made.hint(std::move(hint)).exit_code(kExitNetwork);
        return made;
    };
    if (answer.too_large)
        return error(fmt::format("{} is larger than the limit of {} bytes", address, limits.bytes),
                     "a recipe is a small text; --limit file-bytes=N raises the limit");
    switch (answer.code) {
        case CURLE_OK:
            return error(fmt::format("{} answers {}", address, status_text(answer.status)),
                         answer.status == 401 || answer.status == 403
                             ? "no credentials are sent for a recipe; keep a copy and name that"
                             : "");
        case CURLE_UNSUPPORTED_PROTOCOL:
            return error(fmt::format("{} leads away from https, which is not followed", address),
                         "");
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CONNECT_ERROR:
            return error(
                fmt::format("{} does not prove who it is: {}", address, answer.why),
                "STILLROOM_CA_BUNDLE names a file with the certificates of your own authority");
        case CURLE_OPERATION_TIMEDOUT:
            return error(fmt::format("{} takes too long: {}", address, answer.why), "");
        default:
            return error(fmt::format("cannot fetch {}: {}", address, answer.why),
                         "is the network there? HTTPS_PROXY names a proxy");
    }
}

}  // namespace

std::string address_fault(const std::string& address) {
    constexpr std::string_view kScheme = "https://";
    if (!address.starts_with(kScheme))
        return "only https:// is fetched";
    if (address.size() > kLongestAddress)
        return fmt::format("it is longer than {} bytes", kLongestAddress);
    if (std::any_of(address.begin(), address.end(), [](unsigned char c) {
            return c <= ' ' || c >= 0x7f || c == '\\';
        }))
        return "it holds a blank or another character that no address has";
    std::string_view host = std::string_view(address).substr(kScheme.size());
    host = host.substr(0, host.find_first_of("/?#"));
    if (host.empty())
        return "it names no host";
    if (host.find('@') != std::string_view::npos)
        return "a user name or password may not stand in it";
    return "";
}

std::string fetch_https(const std::string& address, const HttpsLimits& limits) {
    if (std::string fault = address_fault(address); !fault.empty())
        throw Error({}, fmt::format("cannot fetch {}: {}", escape_controls(address), fault))
            .exit_code(kExitPolicy);
    using Clock = std::chrono::steady_clock;
    auto seconds = [](double count) { return std::chrono::duration<double>(count); };
    auto end = Clock::now() + seconds(limits.seconds);
    double pause = 0.5;
    for (int tried = 1;; ++tried, pause *= 2) {
        std::chrono::duration<double> left = end - Clock::now();
        Answer answer = ask(address, limits.bytes, left.count());
        if (answer.code == CURLE_OK && answer.status == 200)
            return std::move(answer.body);
        double wait = std::max(pause, answer.retry_after.value_or(0));
        bool in_time = Clock::now() + seconds(wait) < end && wait <= kLongestWait;
        if (tried == kTries || !may_pass(answer) || !in_time)
            throw failure(address, answer, limits);
        std::this_thread::sleep_for(seconds(wait));
    }
}

}  // namespace stillroom
