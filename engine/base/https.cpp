#include "engine/base/https.h"

#include "engine/base/error.h"
#include "engine/base/http.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace stillroom {
namespace {

constexpr int kTries = 4;
constexpr long kMostRedirects = 5;
constexpr double kLongestWait = 10;  // seconds between two tries, whatever the server asks for
constexpr std::size_t kLongestAddress = 2048;

/// One try and what came of it.
struct Fetched {
    HttpAnswer answer;
    std::string body;
    bool too_large = false;
};

Fetched ask(HttpClient& client, const std::string& address, std::size_t limit, double seconds) {
    Fetched fetched;
    HttpRequest request;
    request.address = address;
    request.redirects = kMostRedirects;
    request.seconds = std::max(seconds, 0.001);
    request.body = [&](const HttpAnswer&, std::string_view piece) {
        fetched.too_large = piece.size() > limit - fetched.body.size();
        if (!fetched.too_large)
            fetched.body.append(piece);
        return !fetched.too_large;
    };
    fetched.answer = client.ask(request);
    return fetched;
}

/// True for what a busy server or a bad line does.
bool may_pass(const HttpAnswer& answer) {
    if (answer.end == HttpEnd::answered)
        return answer.status == 429 || answer.status >= 500;
    return answer.end == HttpEnd::cut;
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

Error failure(const std::string& address, const Fetched& fetched, const HttpsLimits& limits) {
    const HttpAnswer& answer = fetched.answer;
    auto error = [](std::string message, std::string hint) {
        Error made({}, std::move(message));
        made.hint(std::move(hint)).exit_code(kExitNetwork);
        return made;
    };
    if (fetched.too_large)
        return error(fmt::format("{} is larger than the limit of {} bytes", address, limits.bytes),
                     "a recipe is a small text; --limit file-bytes=N raises the limit");
    switch (answer.end) {
        case HttpEnd::answered:
            return error(fmt::format("{} answers {}", address, status_text(answer.status)),
                         answer.status == 401 || answer.status == 403
                             ? "no credentials are sent for a recipe; keep a copy and name that"
                             : "");
        case HttpEnd::forbidden:
            return error(fmt::format("{} leads away from https, which is not followed", address),
                         "");
        case HttpEnd::untrusted:
            return error(
                fmt::format("{} does not prove who it is: {}", address, answer.why),
                "STILLROOM_CA_BUNDLE names a file with the certificates of your own authority");
        case HttpEnd::late:
            return error(fmt::format("{} takes too long: {}", address, answer.why), "");
        default:
            return error(fmt::format("cannot fetch {}: {}", address, answer.why),
                         "is the network there? HTTPS_PROXY names a proxy");
    }
}

}  // namespace

std::string address_fault(const std::string& address) {
    if (address.starts_with("https://") && address.size() > kLongestAddress)
        return fmt::format("it is longer than {} bytes", kLongestAddress);
    return http_address_fault(address, false);
}

std::string fetch_https(const std::string& address, const HttpsLimits& limits) {
    if (std::string fault = address_fault(address); !fault.empty())
        throw Error({}, fmt::format("cannot fetch {}: {}", escape_controls(address), fault))
            .exit_code(kExitPolicy);
    using Clock = std::chrono::steady_clock;
    auto seconds = [](double count) { return std::chrono::duration<double>(count); };
    auto end = Clock::now() + seconds(limits.seconds);
    HttpClient client;
    double pause = 0.5;
    for (int tried = 1;; ++tried, pause *= 2) {
        std::chrono::duration<double> left = end - Clock::now();
        Fetched fetched = ask(client, address, limits.bytes, left.count());
        const HttpAnswer& answer = fetched.answer;
        if (answer.end == HttpEnd::answered && answer.status == 200)
            return std::move(fetched.body);
        double wait = std::max(pause, answer.retry_after.value_or(0));
        bool in_time = Clock::now() + seconds(wait) < end && wait <= kLongestWait;
        if (tried == kTries || !may_pass(answer) || !in_time)
            throw failure(address, fetched, limits);
        std::this_thread::sleep_for(seconds(wait));
    }
}

}  // namespace stillroom
