#include "plugins/lm/hub/hub_error.h"

#include "engine/base/text.h"

#include <fmt/format.h>

namespace stillroom::lm {
namespace {

constexpr std::size_t kLongestWords = 200;  // of a server's own, in a message

std::string page(const HubSource& source, const HubSettings& settings) {
    return fmt::format("{}/{}{}",
                       settings.endpoint,
                       source.kind == RepoKind::dataset ? "datasets/" : "",
                       source.repo);
}

HubError not_allowed(const HubSource& source, const HubSettings& settings) {
    std::string who = settings.token
                          ? fmt::format("the token from {} has no access", settings.token->source())
                          : std::string("no token is set");
    return {HubFault::gated,
            fmt::format("'{}' is gated and {}", source.repo, who),
            fmt::format("its licence is accepted at {}{}",
                        page(source, settings),
                        settings.token ? "" : "; then set HF_TOKEN, or `hf auth login`")};
}

HubError not_found(const HubSource& source, const HubSettings& settings) {
    std::string who =
        settings.token ? fmt::format("the token from {} may not see it", settings.token->source())
                       : std::string("it is private and no token is set");
    return {HubFault::repo_not_found,
            fmt::format("there is no {} at {}, or {}", source.told(), settings.endpoint, who),
            settings.token ? "is the name spelt right?"
                           : "is the name spelt right? For a private one set HF_TOKEN, or `hf auth "
                             "login`"};
}

HubError status_failure(const HttpAnswer& answer,
                        const std::string& address,
                        const HubSource& source,
                        const std::string& path,
                        const HubSettings& settings) {
    std::string code = answer.header("x-error-code");
    std::string words = shorten(escape_controls(answer.header("x-error-message")), kLongestWords);
    if (code == "GatedRepo")
        return not_allowed(source, settings);
    if (code == "RevisionNotFound")
        return {HubFault::revision_not_found,
                fmt::format("{} has no revision '{}'", source.told(), source.revision),
                fmt::format("{} lists those it has", page(source, settings) + "/tree/main")};
    if (code == "EntryNotFound")
        return {
            HubFault::file_not_found,
            fmt::format("{} (revision {}) has no file '{}'", source.told(), source.revision, path),
            ""};
    bool refused_token = answer.status == 401 && settings.token &&
                         words == "Invalid credentials in Authorization header";
    if (code == "RepoNotFound" || (answer.status == 401 && !refused_token))
        return not_found(source, settings);
    if (answer.status == 401)
        return {HubFault::unauthorized,
                fmt::format("{} does not accept the token from {}",
                            settings.endpoint,
                            settings.token->source()),
                "`hf auth login` writes a new one"};
    if (answer.status == 403)
        return {HubFault::unauthorized,
                fmt::format("{} answers 403 for {}{}",
                            shown_address(address),
                            source.told(),
                            words.empty() ? "" : ": " + words),
                settings.token
                    ? fmt::format("may the token from {} read it?", settings.token->source())
                    : std::string("set HF_TOKEN, or `hf auth login`")};
    if (answer.status == 404)
        return {HubFault::repo_not_found,
                fmt::format("{} answers 404, there is no such thing", shown_address(address)),
                ""};
    if (answer.status == 429)
        return {HubFault::too_many,
                fmt::format("{} answers 429, too many requests{}",
                            shown_address(address),
                            answer.retry_after ? fmt::format(", and wants {:.0f} s between two",
                                                             *answer.retry_after)
                                               : ""),
                settings.token ? "try again later" : "with a token more are allowed: set HF_TOKEN"};
    return {answer.status >= 500 || answer.status == 408 ? HubFault::unreachable : HubFault::wrong,
            fmt::format("{} answers {}{}",
                        shown_address(address),
                        answer.status,
                        words.empty() ? "" : ": " + words),
            answer.status >= 500 ? "the hub is in trouble; try again later" : ""};
}

}  // namespace

HubError::HubError(HubFault fault, std::string message, std::string hint)
    : Error({}, std::move(message)),
      fault_(fault) {
    this->hint(std::move(hint));
    exit_code(fault == HubFault::stopped ? kExitStopped : kExitNetwork);
}

HubError::~HubError() = default;

std::string shown_address(const std::string& address) {
    return escape_controls(address.substr(0, address.find_first_of("?#")));
}

HubError hub_failure(const HttpAnswer& answer,
                     const std::string& address,
                     const HubSource& source,
                     const std::string& path,
                     const HubSettings& settings) {
    switch (answer.end) {
        case HttpEnd::answered:
        case HttpEnd::stopped:
            return status_failure(answer, address, source, path, settings);
        case HttpEnd::untrusted:
            return {
                HubFault::untrusted,
                fmt::format("{} does not prove who it is: {}", shown_address(address), answer.why),
                "STILLROOM_CA_BUNDLE names a file with the certificates of your own authority"};
        case HttpEnd::forbidden:
            return {HubFault::untrusted,
                    fmt::format("{} leads away from https, which is not followed",
                                shown_address(address)),
                    ""};
        case HttpEnd::late:
            return {HubFault::unreachable,
                    fmt::format("{} takes too long: {}", shown_address(address), answer.why),
                    "HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT are seconds that are waited"};
        default:
            return {HubFault::unreachable,
                    fmt::format("cannot fetch {}: {}", shown_address(address), answer.why),
                    "is the network there? HTTPS_PROXY names a proxy, HF_ENDPOINT a mirror"};
    }
}

}  // namespace stillroom::lm
