#pragma once

#include "engine/base/api.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stillroom {

/// How a request ended, as far as a caller acts on it.
enum class HttpEnd {
    answered,     ///< there is a status, and the whole body came
    stopped,      ///< `body` or `stop` ended it
    cut,          ///< the line broke or the server hung up: another try can help
    late,         ///< a time limit of the request
    unreachable,  ///< no such host, nobody listens, no way there
    untrusted,    ///< TLS: the server does not prove who it is
    forbidden,    ///< it leads to a scheme that the request does not allow
    failed,       ///< anything else
};

struct HttpAnswer {
    HttpEnd end = HttpEnd::answered;
    std::string why;       ///< in libcurl's words, fit for a terminal; for every other end
    long status = 0;       ///< of the last answer; 0: none
    std::string location;  ///< where a redirect leads that was not followed, absolute
    std::optional<double> retry_after;                         ///< seconds
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case

    STILLROOM_API std::string header(std::string_view name) const;  ///< empty: not there
};

struct HttpRequest {
    std::string address;
    bool head = false;   ///< HEAD, else GET
    bool plain = false;  ///< http:// is allowed too
    long redirects = 0;  ///< this many are followed, to the same schemes; `headers` go along
    std::vector<std::pair<std::string, std::string>> headers;
    double seconds = 0;  ///< for all of it; 0: no limit
    double connect_seconds = 15;
    long slowest = 16;  ///< bytes a second; less than that for `slow_seconds` ends it
    double slow_seconds = 15;

    /// Takes the body piece by piece; status and headers of the answer are known by then. False
    /// ends the request. Without it the body is thrown away.
    std::function<bool(const HttpAnswer&, std::string_view)> body;
    std::function<bool()> stop;  ///< asked about once a second; true ends the request
};

/// Asks HTTP servers, one request at a time; keeps connections open from one to the next. libcurl
/// is opened by the first client, never linked. No cookies, no .netrc, no decoding of bodies, and
/// nothing is sent but the headers named. HTTPS_PROXY, NO_PROXY and their like count, and the
/// certificates in STILLROOM_CA_BUNDLE or SSL_CERT_FILE.
class STILLROOM_API HttpClient {
public:
    HttpClient();  ///< throws Error (exit 4) where there is no libcurl, or one before 7.85
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Throws what `body` and `stop` throw; what the server and the line do is in the answer.
    HttpAnswer ask(const HttpRequest& request);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Why nothing may be fetched from the address, or an empty text: another scheme, a user name or
/// password in it, blanks or control characters. `plain`: http:// will do.
STILLROOM_API std::string http_address_fault(const std::string& address, bool plain);

}  // namespace stillroom
