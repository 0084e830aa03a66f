#pragma once

#include "engine/base/http.h"
#include "plugins/lm/hub/hub_error.h"
#include "plugins/lm/hub/hub_settings.h"
#include "plugins/lm/hub/hub_source.h"
#include "plugins/lm/hub/hub_tree.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace stillroom::lm {

/// What a hub says of one file.
struct HubHead {
    std::string commit;
    std::string etag;
    std::optional<std::uint64_t> size;
    std::string address;  ///< where its bytes are; may carry a signature
};

/// Speaks to one hub. The token goes to the endpoint alone, and over plain http only to this
/// machine; whatever a redirect or a listing names, no other host sees it.
class HubClient {
public:
    /// `cancelled` may be empty; while it says true everything here throws HubError (stopped).
    HubClient(const HubSettings& settings, std::function<bool()> cancelled);

    /// `patient`: a line or a server in trouble is asked again; else one try says how it is.
    std::string commit_of(const HubSource& source, bool patient);
    HubTree list(const HubSource& source, const std::string& commit);
    HubHead head(const HubSource& source,
                 const std::string& revision,
                 const std::string& path,
                 bool patient);

    /// One GET, with what redirects may be followed followed; headers are completed here.
    HttpAnswer get(std::string address, HttpRequest request);

    /// True for what another try may change.
    static bool may_pass(const HttpAnswer& answer);

    /// Before try number `tried` + 1: what the server asks for, or longer and longer. Throws
    /// `failure` where it wants more than is sensible.
    void pause(int tried, const HttpAnswer& answer, const HubError& failure);

    const HubSettings& settings() const { return settings_; }

private:
    HttpAnswer ask(std::string address,
                   HttpRequest request,
                   bool stop_at_others,
                   std::string* arrived = nullptr);
    HttpAnswer ask_until_answered(const std::string& address,
                                  const HttpRequest& request,
                                  const HubSource& source,
                                  const std::string& path,
                                  bool patient,
                                  std::string* arrived = nullptr);
    std::string get_text(std::string address,
                         const HubSource& source,
                         bool patient,
                         std::string* next = nullptr);
    void check_stopped() const;

    const HubSettings& settings_;
    std::function<bool()> cancelled_;
    HttpClient http_;
};

/// Without quotes and the mark of a weak one.
std::string bare_etag(std::string_view etag);

/// Tries of one request that bring nothing; then the error is the user's.
inline constexpr int kHubTries = 6;

}  // namespace stillroom::lm
