#include "plugins/lm/hub/hub_client.h"

#include "engine/base/error.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace stillroom::lm {
namespace {

constexpr int kMostRedirects = 5;
constexpr int kMostPages = 1000;
constexpr std::size_t kLongestText = std::size_t{64} << 20;
constexpr double kLongestPause = 16;   // seconds, by ourselves
constexpr double kLongestAsked = 300;  // seconds, when the server asks for it
constexpr std::size_t kLongestEtag = 128;

/// Scheme, host and port of an address, in lower case; an empty host where there is none.
struct Origin {
    std::string scheme, host, port;
    bool operator==(const Origin&) const = default;
};

Origin origin_of(const std::string& address) {
    Origin origin;
    std::size_t colon = address.find("://");
    if (colon == address.npos)
        return origin;
    origin.scheme = address.substr(0, colon);
    std::string rest = address.substr(colon + 3);
    rest = rest.substr(0, rest.find_first_of("/?#"));
    std::size_t bracket = rest.find(']');  // of an IPv6 address
    std::size_t port = rest.find(':', bracket == rest.npos ? 0 : bracket);
    origin.host = rest.substr(0, port);
    origin.port =
        port == rest.npos ? (origin.scheme == "https" ? "443" : "80") : rest.substr(port + 1);
    for (std::string* text : {&origin.scheme, &origin.host})
        for (char& c : *text)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return origin;
}

bool is_this_machine(const std::string& host) {
    return host == "localhost" || host == "[::1]" ||
           (host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos);
}

bool is_hub_host(const std::string& host) {
    return host == "huggingface.co" || host == "hf.co" || host == "hub-ci.huggingface.co";
}

/// Percent-encoded but for what may stand in a part of a path.
std::string encoded(std::string_view text, bool keep_slash) {
    std::string out;
    for (unsigned char c : text) {
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~' || (keep_slash && c == '/');
        if (plain)
            out += static_cast<char>(c);
        else
            fmt::format_to(std::back_inserter(out), "%{:02X}", c);
    }
    return out;
}

std::string api_address(const HubSettings& settings, const HubSource& source) {
    return fmt::format("{}/api/{}/{}",
                       settings.endpoint,
                       source.kind == RepoKind::model ? "models" : "datasets",
                       source.repo);
}

/// It names a file of the cache.
bool is_safe_etag(std::string_view etag) {
    return !etag.empty() && etag.size() <= kLongestEtag && etag.front() != '.' &&
           std::all_of(etag.begin(), etag.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '-' || c == '_' || c == '.';
           });
}

std::optional<std::uint64_t> number_in(const std::string& text) {
    if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != text.npos)
        return {};
    return std::stoull(text);
}

/// The address after `rel="next"` in a Link header, or an empty text.
std::string next_page(const std::string& link) {
    std::size_t open = link.find('<'), close = link.find('>', open == link.npos ? 0 : open);
    if (open == link.npos || close == link.npos || link.find("rel=\"next\"", close) == link.npos)
        return "";
    return link.substr(open + 1, close - open - 1);
}

HubError wrong(const std::string& address, const std::string& why) {
    return {HubFault::wrong,
            fmt::format("{} does not answer as a model hub does: {}", shown_address(address), why),
            "does HF_ENDPOINT name a hub, or does a proxy answer in its place?"};
}

bool is_redirect(const HttpAnswer& answer) {
    return answer.end == HttpEnd::answered && answer.status >= 300 && answer.status < 400 &&
           !answer.location.empty();
}

}  // namespace

std::string bare_etag(std::string_view etag) {
    if (etag.starts_with("W/"))
        etag.remove_prefix(2);
    if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"'))
        etag = etag.substr(1, etag.size() - 2);
    return std::string(etag);
}

HubClient::HubClient(const HubSettings& settings, std::function<bool()> cancelled)
    : settings_(settings),
      cancelled_(std::move(cancelled)) {}

void HubClient::check_stopped() const {
    if (cancelled_ && cancelled_())
        throw HubError(HubFault::stopped, "the download was stopped", "");
}

bool HubClient::may_pass(const HttpAnswer& answer) {
    switch (answer.end) {
        case HttpEnd::answered:
        case HttpEnd::stopped:
            for (long status : {408, 429, 500, 502, 503, 504})
                if (answer.status == status)
                    return true;
            return false;
        case HttpEnd::cut:
        case HttpEnd::late:
        case HttpEnd::unreachable:
        case HttpEnd::failed:
            return true;
        default:
            return false;
    }
}

void HubClient::pause(int tried, const HttpAnswer& answer, const HubError& failure) {
    double seconds = std::min(
        settings_.pause_seconds * static_cast<double>(1 << std::min(tried, 16)), kLongestPause);
    seconds = std::max(seconds, answer.retry_after.value_or(0));
    if (seconds > kLongestAsked)
        throw failure;
    auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    do {
        check_stopped();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } while (std::chrono::steady_clock::now() < end);
}

HttpAnswer HubClient::ask(std::string address,
                          HttpRequest request,
                          bool stop_at_others,
                          std::string* arrived) {
    const Origin endpoint = origin_of(settings_.endpoint);
    request.plain = endpoint.scheme == "http";
    request.stop = cancelled_;
    request.headers.emplace_back("Accept-Encoding",
                                 "identity");  // sizes and digests are the file's
    const std::size_t open_headers = request.headers.size();
    for (int followed = 0;; ++followed) {
        if (std::string fault = http_address_fault(address, true); !fault.empty())
            throw wrong(address, fault);
        Origin origin = origin_of(address);
        bool private_line = origin.scheme == "https" || is_this_machine(origin.host);
        request.headers.resize(open_headers);
        if (settings_.token && origin == endpoint && private_line)
            request.headers.emplace_back("Authorization", settings_.token->authorization());
        request.address = address;
        check_stopped();
        HttpAnswer answer = http_.ask(request);
        check_stopped();
        if (arrived)
            *arrived = address;
        if (!is_redirect(answer))
            return answer;
        Origin next = origin_of(answer.location);
        if (stop_at_others && next.host != endpoint.host && !is_hub_host(next.host))
            return answer;
        if (followed == kMostRedirects)
            throw wrong(address, fmt::format("more than {} redirects", kMostRedirects));
        address = answer.location;
    }
}

HttpAnswer HubClient::ask_until_answered(const std::string& address,
                                         const HttpRequest& request,
                                         const HubSource& source,
                                         const std::string& path,
                                         bool patient,
                                         std::string* arrived) {
    for (int tried = 0;; ++tried) {
        HttpAnswer answer = ask(address, request, true, arrived);
        if (answer.end == HttpEnd::answered && (answer.status == 200 || is_redirect(answer)))
            return answer;
        HubError failure = hub_failure(answer, address, source, path, settings_);
        if (!patient || tried + 1 >= kHubTries || !may_pass(answer))
            throw failure;
        pause(tried, answer, failure);
    }
}

std::string HubClient::get_text(std::string address,
                                const HubSource& source,
                                bool patient,
                                std::string* next) {
    std::string text;
    bool too_long = false;
    HttpRequest request;
    request.seconds = settings_.ask_seconds * 6;
    request.connect_seconds = settings_.ask_seconds;
    request.slow_seconds = settings_.ask_seconds;
    long status = 0;
    request.body = [&](const HttpAnswer& answer, std::string_view piece) {
        if (answer.status != std::exchange(status, answer.status))
            text.clear();
        too_long = text.size() + piece.size() > kLongestText;
        if (!too_long)
            text.append(piece);
        return !too_long;
    };
    HttpAnswer answer;
    for (int tried = 0;; ++tried) {
        text.clear();
        answer = ask(address, request, true);
        if (too_long)
            throw wrong(address, fmt::format("a listing of over {} bytes", kLongestText));
        if (answer.end == HttpEnd::answered && answer.status == 200)
            break;
        if (is_redirect(answer))
            throw wrong(address, "it leads to " + shown_address(answer.location));
        HubError failure = hub_failure(answer, address, source, "", settings_);
        if (!patient || tried + 1 >= kHubTries || !may_pass(answer))
            throw failure;
        pause(tried, answer, failure);
    }
    if (next)
        *next = next_page(answer.header("link"));
    return text;
}

std::string HubClient::commit_of(const HubSource& source, bool patient) {
    std::string address =
        api_address(settings_, source) + "/revision/" + encoded(source.revision, false);
    std::string text = get_text(address, source, patient), commit;
    try {
        commit = Json::parse(text, kLongestText).at("sha").string();
    } catch (const Error& error) {
        throw wrong(address, error.what());
    }
    if (!is_commit(commit))
        throw wrong(address, "its 'sha' is no commit");
    return commit;
}

HubTree HubClient::list(const HubSource& source, const std::string& commit) {
    HubTree tree;
    std::string address =
        api_address(settings_, source) + "/tree/" + commit + "?recursive=true&expand=false";
    for (int page = 0; !address.empty(); ++page) {
        if (page == kMostPages)
            throw wrong(address, fmt::format("more than {} pages of files", kMostPages));
        if (origin_of(address) != origin_of(settings_.endpoint))
            throw wrong(address, "a listing that goes on at another host");
        std::string next;
        add_listed_files(get_text(address, source, true, &next), tree);
        address = next;
    }
    return tree;
}

HubHead HubClient::head(const HubSource& source,
                        const std::string& revision,
                        const std::string& path,
                        bool patient) {
    std::string address = fmt::format("{}/{}{}/resolve/{}/{}",
                                      settings_.endpoint,
                                      source.kind == RepoKind::dataset ? "datasets/" : "",
                                      source.repo,
                                      encoded(revision, false),
                                      encoded(path, true));
    HttpRequest request;
    request.head = true;
    request.seconds = settings_.ask_seconds;
    request.connect_seconds = settings_.ask_seconds;
    HubHead head;
    HttpAnswer answer = ask_until_answered(address, request, source, path, patient, &head.address);
    head.commit = answer.header("x-repo-commit");
    if (!is_commit(head.commit))
        throw wrong(address, "no X-Repo-Commit");
    std::string linked = answer.header("x-linked-etag");
    head.etag = bare_etag(linked.empty() ? answer.header("etag") : linked);
    if (!is_safe_etag(head.etag))
        throw wrong(address, "no ETag that could name a file");
    head.size = number_in(answer.header("x-linked-size"));
    if (is_redirect(answer))
        head.address = answer.location;
    else if (!head.size)
        head.size = number_in(answer.header("content-length"));
    return head;
}

HttpAnswer HubClient::get(std::string address, HttpRequest request) {
    return ask(std::move(address), std::move(request), false);
}

}  // namespace stillroom::lm
