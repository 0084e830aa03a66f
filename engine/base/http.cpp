// libcurl is opened when something is fetched and never linked: with the thirty libraries behind it
// each start of the program would take twice as long, and most starts fetch nothing.

#include "engine/base/http.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/text.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <exception>

namespace stillroom {
namespace {

constexpr std::size_t kLongestAddress = 8192;  // those that a content network signs are long
constexpr std::size_t kMostHeaders = 200;
constexpr std::size_t kLongestHeader = 16384;

/// The functions of libcurl that are used here.
struct Curl {
    decltype(&::curl_global_init) global_init = nullptr;
    decltype(&::curl_easy_init) init = nullptr;
    decltype(&::curl_easy_cleanup) cleanup = nullptr;
    decltype(&::curl_easy_reset) reset = nullptr;
    decltype(&::curl_easy_perform) perform = nullptr;
    decltype(&::curl_easy_strerror) describe = nullptr;
    decltype(&::curl_slist_append) append = nullptr;
    decltype(&::curl_slist_free_all) free_all = nullptr;
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
        take(found.reset, "curl_easy_reset");
        take(found.perform, "curl_easy_perform");
        take(found.describe, "curl_easy_strerror");
        take(found.append, "curl_slist_append");
        take(found.free_all, "curl_slist_free_all");
        take(found.set, "curl_easy_setopt");
        take(found.get, "curl_easy_getinfo");
        found.global_init(CURL_GLOBAL_DEFAULT);
        return found;
    }();
    return functions;
}

/// What the callbacks of one request share. No exception may pass through libcurl.
struct Exchange {
    const HttpRequest& request;
    HttpAnswer answer;
    std::exception_ptr thrown;

    template <class Call>
    bool guarded(Call call) {
        try {
            return call();
        } catch (...) {
            thrown = std::current_exception();
            return false;
        }
    }
};

void take_status_line(std::string_view line, HttpAnswer& answer) {
    answer.headers.clear();
    answer.status = 0;
    std::size_t blank = line.find(' ');
    for (std::size_t i = blank + 1; blank != line.npos && i < line.size() && i <= blank + 3; ++i)
        if (line[i] >= '0' && line[i] <= '9')
            answer.status = answer.status * 10 + (line[i] - '0');
}

std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* target) {
    auto& exchange = *static_cast<Exchange*>(target);
    std::string_view line(bytes, size * count);
    bool done = exchange.guarded([&] {
        HttpAnswer& answer = exchange.answer;
        if (line.starts_with("HTTP/")) {
            take_status_line(line, answer);
            return true;
        }
        std::size_t colon = line.find(':');
        if (colon == line.npos)
            return true;
        if (answer.headers.size() == kMostHeaders || line.size() > kLongestHeader)
            return false;
        std::string name(line.substr(0, colon));
        for (char& c : name)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        std::string_view value = line.substr(colon + 1);
        value.remove_suffix(value.size() - (value.find_last_not_of("\r\n") + 1));
        answer.headers.emplace_back(std::move(name), trim(value));
        return true;
    });
    return done ? line.size() : 0;
}

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* target) {
    auto& exchange = *static_cast<Exchange*>(target);
    std::string_view piece(bytes, size * count);
    bool more = !exchange.request.body ||
                exchange.guarded([&] { return exchange.request.body(exchange.answer, piece); });
    if (!more)
        exchange.answer.end = HttpEnd::stopped;
    return more ? piece.size() : 0;
}

int look_around(void* target, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& exchange = *static_cast<Exchange*>(target);
    bool goes_on = exchange.guarded([&] { return !exchange.request.stop(); });
    if (!goes_on)
        exchange.answer.end = HttpEnd::stopped;
    return goes_on ? 0 : 1;
}

HttpEnd end_of(CURLcode code) {
    switch (code) {
        case CURLE_OK:
            return HttpEnd::answered;
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
            return HttpEnd::cut;
        case CURLE_OPERATION_TIMEDOUT:
            return HttpEnd::late;
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_CONNECT:
            return HttpEnd::unreachable;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CONNECT_ERROR:
            return HttpEnd::untrusted;
        case CURLE_UNSUPPORTED_PROTOCOL:
            return HttpEnd::forbidden;
        default:
            return HttpEnd::failed;
    }
}

}  // namespace

std::string HttpAnswer::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name)
            return value;
    return "";
}

struct HttpClient::State {
    State() : handle(curl().init(), curl().cleanup) {}

    std::unique_ptr<CURL, void (*)(CURL*)> handle;
};

HttpClient::HttpClient() : state_(std::make_unique<State>()) {}
HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::ask(const HttpRequest& request) {
    const Curl& c = curl();
    CURL* handle = state_->handle.get();
    if (handle)
        c.reset(handle);
    Exchange exchange{request, {}, nullptr};
    char words[CURL_ERROR_SIZE] = "";
    // An option that this libcurl does not know would leave a door open.
    auto set = [&](CURLoption option, auto value) {
        if (!handle || c.set(handle, option, value) != CURLE_OK)
            throw Error({}, "nothing can be fetched: this libcurl is older than 7.85")
                .exit_code(kExitResource);
    };
    auto milliseconds = [](double seconds) {
        return std::max(1L, static_cast<long>(seconds * 1000));
    };
    const char* schemes = request.plain ? "https,http" : "https";
    set(CURLOPT_URL, request.address.c_str());
    set(CURLOPT_PROTOCOLS_STR, schemes);
    set(CURLOPT_REDIR_PROTOCOLS_STR, schemes);
    set(CURLOPT_FOLLOWLOCATION, request.redirects > 0 ? 1L : 0L);
    set(CURLOPT_MAXREDIRS, request.redirects);
    set(CURLOPT_NOBODY, request.head ? 1L : 0L);
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_HTTP_CONTENT_DECODING, 0L);
    set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));  // a proxy gets none of ours
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "stillroom");
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connect_seconds));
    if (request.seconds > 0)
        set(CURLOPT_TIMEOUT_MS, milliseconds(request.seconds));
    set(CURLOPT_LOW_SPEED_LIMIT, request.slowest);
    set(CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(request.slow_seconds)));
    set(CURLOPT_ERRORBUFFER, words);
    set(CURLOPT_HEADERFUNCTION, &take_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&exchange));
    set(CURLOPT_WRITEFUNCTION, &take_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
    if (request.stop) {
        set(CURLOPT_NOPROGRESS, 0L);
        set(CURLOPT_XFERINFOFUNCTION, &look_around);
        set(CURLOPT_XFERINFODATA, static_cast<void*>(&exchange));
    }
    std::string bundle = environment("STILLROOM_CA_BUNDLE");
    if (bundle.empty())
        bundle = environment("SSL_CERT_FILE");
    if (!bundle.empty())
        set(CURLOPT_CAINFO, bundle.c_str());
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> lines(nullptr, c.free_all);
    for (const auto& [name, value] : request.headers) {
        assert(value.find_first_of("\r\n") == value.npos && "one header must not become two");
        curl_slist* longer = c.append(lines.get(), fmt::format("{}: {}", name, value).c_str());
        if (!longer)
            throw std::bad_alloc();
        lines.release();
        lines.reset(longer);
    }
    set(CURLOPT_HTTPHEADER, lines.get());

    CURLcode code = c.perform(handle);
    HttpAnswer answer = std::move(exchange.answer);
    if (exchange.thrown)
        std::rethrow_exception(exchange.thrown);
    if (answer.end != HttpEnd::stopped)
        answer.end = end_of(code);
    if (code != CURLE_OK)
        answer.why = escape_controls(*words ? words : c.describe(code));
    curl_off_t wait = 0;
    if (c.get(handle, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
        answer.retry_after = static_cast<double>(wait);
    char* location = nullptr;
    if (c.get(handle, CURLINFO_REDIRECT_URL, &location) == CURLE_OK && location)
        answer.location = location;
    return answer;
}

std::string http_address_fault(const std::string& address, bool plain) {
    std::string_view rest = address;
    if (rest.starts_with("https://"))
        rest.remove_prefix(8);
    else if (plain && rest.starts_with("http://"))
        rest.remove_prefix(7);
    else
        return plain ? "only https:// and http:// are fetched" : "only https:// is fetched";
    if (address.size() > kLongestAddress)
        return fmt::format("it is longer than {} bytes", kLongestAddress);
    if (std::any_of(address.begin(), address.end(), [](unsigned char c) {
            return c <= ' ' || c >= 0x7f || c == '\\';
        }))
        return "it holds a blank or another character that no address has";
    std::string_view host = rest.substr(0, rest.find_first_of("/?#"));
    if (host.empty())
        return "it names no host";
    if (host.find('@') != std::string_view::npos)
        return "a user name or password may not stand in it";
    return "";
}

}  // namespace stillroom
